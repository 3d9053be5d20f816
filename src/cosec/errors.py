"""Everything that can go wrong in a way the user can mend.

The tree::

    CosecError
    ├── SettingsError            a setting, flag or recipe entry is unknown, unused or out of range
    ├── PromptError              a prompt is missing, empty or longer than the context
    ├── ModelError
    │   ├── ModelNotFound        no such name, folder or file
    │   ├── UnsafeCheckpoint     pickle weights or remote code
    │   ├── UnknownArchitecture  the family is unknown and its LoRA targets were not named
    │   ├── VocabularyMismatch   two models whose tokens do not mean the same
    │   └── AdapterError         a corrupt adapter, or one made for another base model
    ├── DataError                a data file that is missing, malformed or empty
    ├── TrainingError            training cannot go on (non-finite loss, full disk, unusable checkpoint)
    ├── CheckerError             a checker cannot run, so nothing is known about the files
    ├── SandboxError             a program cannot be run in isolation
    ├── EndpointError            a served model does not answer, or not as the API says
    └── StudyError               a study's folder belongs to another study, or cannot be written

Messages say what was found, where, and what to do about it, in one or two sentences. Bugs stay ordinary exceptions.
"""


class CosecError(Exception):
    """Base of all errors that a user can act on; the message names the remedy."""


class SettingsError(CosecError):
    """A setting, flag or recipe entry is unknown, unused by the chosen rule, or out of range.

    Args:
        message: What was found and what to do about it.
        settings: Settings that the message names, which a command line shows as the flags that they have.
    """

    def __init__(self, message: str, *, settings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.settings = settings


class PromptError(CosecError):
    """A prompt is missing, empty, or longer than the models' context."""


class ModelError(CosecError):
    """A model cannot be used."""


class ModelNotFound(ModelError):  # noqa: N818 - reads as what happened, like FileNotFoundError
    """No model of that name, folder or file."""


class UnsafeCheckpoint(ModelError):  # noqa: N818
    """The checkpoint would run code from its author (pickle weights, remote code)."""


class UnknownArchitecture(ModelError):  # noqa: N818
    """The architecture is not one of the known families and its LoRA targets were not named."""


class VocabularyMismatch(ModelError):  # noqa: N818
    """The two models' token ids do not mean the same text, so their probabilities cannot be compared."""


class AdapterError(ModelError):
    """An adapter is corrupt, or was made for another base model."""


class DataError(CosecError):
    """A data file is missing, malformed or holds nothing usable."""


class TrainingError(CosecError):
    """Training cannot go on; what was saved so far is intact."""


class CheckerError(CosecError):
    """A security checker could not run, so nothing is known about the files it was given."""


class SandboxError(CosecError):
    """A program could not be run in isolation, so nothing is known about it."""


class EndpointError(CosecError):
    """A served model does not answer, or not as the API says.

    Args:
        message: What happened.
        status: HTTP status by which the server refused a request that a client sent.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class StudyError(CosecError):
    """A study's folder is not what this run needs, or cannot be written; its records are intact."""


class CosecWarning(UserWarning):
    """Something works, but not as the user may expect; the message names the remedy."""
