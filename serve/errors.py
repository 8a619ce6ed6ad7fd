"""The errors of the serving side.

ServeError
├── PolicyInvalid    a feed document that cannot be used; the message names the place
├── EditionBroken    an edition whose files do not match its manifest, or of another format
├── NoEdition        a feed without a live edition, or a candidate or edition that does not exist
├── EditionUnknown   a reader asks for an edition or instant that never existed
├── EditionGone      a reader asks for an edition that existed and is no longer kept
├── SwitchRefused    a candidate that must not go live
├── FeedBusy         another process is building or switching this feed
├── KeysUnreadable   the key file of a feed cannot be read, so every request is refused
├── BlocksBroken     the list of emergency blocks cannot be read, so nothing is served
├── BlockUnknown     a block to lift does not exist
├── ExportFailed     an export that cannot be written or signed
└── KeyUnknown       a key that was never issued, or is already revoked
"""


class ServeError(Exception):
    pass


class PolicyInvalid(ServeError):
    pass


class EditionBroken(ServeError):
    pass


class NoEdition(ServeError):
    pass


class EditionUnknown(ServeError):
    pass


class EditionGone(ServeError):
    pass


class SwitchRefused(ServeError):
    pass


class FeedBusy(ServeError):
    pass


class KeysUnreadable(ServeError):
    pass


class BlocksBroken(ServeError):
    pass


class BlockUnknown(ServeError):
    pass


class ExportFailed(ServeError):
    pass


class KeyUnknown(ServeError):
    pass
