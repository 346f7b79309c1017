"""Where a transformer with divided attention looked: its attentions followed back to the patches.

Each block first lets a patch look at the same place in the other frames, then at the rest of its
own frame; both add to what is there already. So what the class token holds at the end is followed
back block by block, half staying where it is and half going where each attention says. Only the
class token's share is carried along: no matrix over all tokens of all frames is ever made.
"""

import numpy as np

from models.types import Floats

KEPT = 0.5  # by the connection that goes around each attention


def rollout(spatial: Floats, temporal: Floats) -> Floats:
    """What each patch adds to the class token: [T, P] in [0, 1], the largest 1.

    `spatial`: [L, T, 1 + P, 1 + P], of each block and frame, the class token first.
    `temporal`: [L, P, T, T], of each block and place, from a frame to all of them.
    """
    blocks, frames, tokens, _ = spatial.shape
    if temporal.shape != (blocks, tokens - 1, frames, frames) or spatial.shape[3] != tokens:
        raise ValueError(
            "attentions are [L, T, 1+P, 1+P] and [L, P, T, T], received "
            f"{spatial.shape} and {temporal.shape}"
        )
    share_TP = np.zeros((frames, tokens - 1), np.float32)
    class_share = 1.0
    for in_space, in_time in zip(spatial[::-1], temporal[::-1], strict=True):
        # The class token's update is the mean of what it sees in each frame.
        of_class = class_share * in_space[:, 0] / frames
        of_patches = np.einsum("tp,tpq->tq", share_TP, in_space[:, 1:])
        seen = of_class + of_patches
        class_share = KEPT * class_share + (1 - KEPT) * float(seen[:, 0].sum())
        share_TP = KEPT * share_TP + (1 - KEPT) * seen[:, 1:]
        # The class token takes no part in looking through time.
        share_TP = KEPT * share_TP + (1 - KEPT) * np.einsum("tp,ptu->up", share_TP, in_time)
    largest = float(share_TP.max())
    return (share_TP / max(largest, 1e-12)).astype(np.float32)
