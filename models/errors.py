"""Errors a person can do something about: the message is one plain sentence, shown as it is."""


class UserFacingError(Exception):
    """The text says what happened and what to do next, in one sentence."""


class VideoOpenError(UserFacingError):
    """The file cannot be read as a video."""


class VideoTooLongError(UserFacingError):
    """The video is longer than the settings allow."""


class VideoTooLargeError(UserFacingError):
    """The file is larger than the settings allow."""


class LinkError(UserFacingError):
    """A pasted link cannot be fetched."""


class ModelUnavailableError(UserFacingError):
    """A model was asked for that is not on this machine and cannot be fetched."""


class CheckpointError(UserFacingError):
    """A checkpoint folder does not hold what its config promises."""


class ExportError(UserFacingError):
    """A result could not be written as the file that was asked for."""


class RequestError(UserFacingError):
    """An option has a value that cannot be used."""


class SpeechError(UserFacingError):
    """A text could not be spoken."""


class CancelledError(Exception):
    """Work was stopped on request. Not an error: nothing is shown but the word."""
