"""What went wrong, in a sentence for the person in front of the screen.

Every error that a user can cause is one of these; its text says what was wrong, what was expected and how to mend it.
Pages show the text, the command line prints it on one line, neither shows a traceback.
"""


def quotable(text: str) -> str:
    """What a sentence can repeat of a text that may be anything: what cannot be printed is a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class PlaygroundError(Exception):
    """Base of all errors whose text is meant to be read by the user."""


class ConfigError(PlaygroundError, ValueError):
    """A setting is out of range, unknown, or does not go together with another."""


class DataError(PlaygroundError):
    """A data set's files are missing, damaged or cannot be fetched."""


class RunError(PlaygroundError):
    """A run or one of its files does not exist, is damaged, or is in the wrong state for what was asked."""


class LostError(RunError):
    """Another program has taken up the run that this one trained, or it is gone: nothing about it may be written any more."""


class DivergedError(PlaygroundError):
    """A number stopped being finite.

    Attributes:
        step: the first step with a number that is not finite.
        term: name of the statistic that broke first, one of `gan_core.members.STATS`.
        member: index of the member it happened in.
    """

    def __init__(self, message: str, *, step: int, term: str, member: int = 0):
        super().__init__(message)
        self.step, self.term, self.member = step, term, member
