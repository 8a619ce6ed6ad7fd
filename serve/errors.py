"""The errors of the serving side.

ServeError
├── PolicyInvalid    a feed document that cannot be used, with the place
├── EditionBroken    an edition whose files do not match its manifest, or of a newer format
├── NoEdition        a feed that has nothing live, or a candidate or edition that is not there
├── EditionUnknown   an edition or instant that a reader asks for and that never was
├── EditionGone      one that was, and is no longer kept
├── SwitchRefused    a candidate that must not go live
├── FeedBusy         another process is building or switching this feed
├── KeysUnreadable   the file of a feed's keys cannot be read, so nobody is let in
├── BlocksBroken     the list of emergency blocks cannot be read, so nothing is served
├── BlockUnknown     a block to lift that is not there
├── ExportFailed     an export that cannot be written or signed
└── KeyUnknown       a key that was never given out, or is revoked already
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
