"""How far the scores of a search can be believed."""

from typing import Literal

# measured: probabilities fitted and checked on pairs that nothing was learned from.
# own: probabilities as the model itself gives them; nobody measured here how true they are.
# compared: no probabilities; scores only say which frames are closer than others.
Certainty = Literal["measured", "own", "compared"]
MEASURED: Certainty = "measured"
OWN: Certainty = "own"
COMPARED: Certainty = "compared"
