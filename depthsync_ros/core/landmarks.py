"""
Points that earlier windows have placed: the long-range anchors of scale.

A window fitted only to the one before it hands its error on. Where a tracked point goes on
being seen, its place in the world does not: it says what depth it must have in every later frame.
Only points still tracked at a window's end are carried on, so memory is bounded by the tracker.
"""

from dataclasses import dataclass

import numpy as np

from depthsync_ros.core.bundle import Bundle
from depthsync_ros.core.bundle_equations import Prior
from depthsync_ros.core.rigid import transform
from depthsync_ros.core.shapes import Ids, Points, Transform
from depthsync_ros.core.tracks import WindowTracks

FORGET = 0.9  # share of a point's information that the next window still believes
LAST_FRAMES = 8  # a point seen in one of a window's last frames is still being tracked
MIN_BELIEF = 0.3  # of its sightings, on average: a point that moves on its own is no anchor


@dataclass(frozen=True, eq=False)
class Landmarks:
    """
    World points by the number of their track.

    Shapes: ids (points,) rising; points_world (points, 3); information (points, 3, 3), the
        inverse covariance.
    Units: the run's.
    """

    ids: Ids
    points_world: Points
    information: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def prior(self, ids: Ids) -> Prior:
        """Give what is known of some tracks, in their order."""
        prior = Prior.nothing(len(ids))
        if not len(self):
            return prior
        row = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        known = self.ids[row] == ids
        prior.points[known] = self.points_world[row[known]]
        prior.information[known] = self.information[row[known]]
        return prior


NO_LANDMARKS = Landmarks(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3, 3)))


def carry_on(bundle: Bundle, tracks: WindowTracks, world_T_window: Transform) -> Landmarks:
    """
    Keep the window's points that are still tracked at its end, in the world's frame.

    Their information is what reprojection told, a tenth of it forgotten: neighbouring windows
    share their errors, and depth from the network would confirm itself.
    """
    kept = tracks.visible[-LAST_FRAMES:].any(axis=0) & (bundle.point_belief > MIN_BELIEF)
    turn = world_T_window[:3, :3]
    return Landmarks(
        tracks.ids[kept],
        transform(world_T_window, bundle.points_window[kept]),
        FORGET * turn @ bundle.seen_information[kept] @ turn.T,
    )
