"""The errors of the serving side.

ServeError
├── PolicyInvalid    a feed document that cannot be used, with the place
├── EditionBroken    an edition whose files do not match its manifest, or of a newer format
├── NoEdition        a feed that has nothing live (or no such edition)
├── SwitchRefused    a candidate that must not go live
└── FeedBusy         another process is building or switching this feed
"""


class ServeError(Exception):
    pass


class PolicyInvalid(ServeError):
    pass


class EditionBroken(ServeError):
    pass


class NoEdition(ServeError):
    pass


class SwitchRefused(ServeError):
    pass


class FeedBusy(ServeError):
    pass
