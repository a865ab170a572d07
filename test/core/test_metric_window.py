"""What a window says of metres, through the whole pipeline with a network that knows depth."""

from backbones import FakeBackbone
import numpy as np
import pytest
from scenes import CAMERA, path, render

from depthsync_ros.core.camera import unproject
from depthsync_ros.core.evidence import Evidence, thin_out
from depthsync_ros.core.frames import Frame, Output
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.points import Cloud, see_cloud
from depthsync_ros.core.rigid import BODY_T_OPTICAL, invert, transform
from depthsync_ros.core.settings import DepthSyncSettings, with_values

MOTION = path(12, (0.03, 0.0, 0.03, 0.0, 0.0, 0.0))


def run(values: dict, evidence: list[Evidence]) -> Output:
    small = {'poses.min_tracks': 10, 'metric.max_uncertainty': 1.0, 'geometry.refine': False}
    small |= values
    running = Pipeline(FakeBackbone(), with_values(DepthSyncSettings(), small))
    outputs = [
        running.push(Frame(10**7 * (n + 1), 'camera', render(T).rgb, CAMERA, evidence[n]))
        for n, T in enumerate(MOTION)
    ]
    outputs.append(running.flush())
    return Output(
        tuple(frame for output in outputs for frame in output.frames),
        tuple(report for output in outputs for report in output.reports),
    )


def measured(frames: tuple, scale: float) -> list[Evidence]:
    """Give the derived positions, `scale` times as far, as a robot's odometry."""
    evidence = []
    for frame in frames:
        odom_T_cam = frame.world_T_cam.copy()
        odom_T_cam[:3, 3] *= scale
        evidence.append(Evidence(odom_T_cam=odom_T_cam))
    return evidence


def test_positions_are_those_of_odometry_and_depth_scales_with_them() -> None:
    unknown = run({}, [Evidence()] * len(MOTION))
    values = {'metric.source': 'odometry'}

    three, six = (run(values, measured(unknown.frames, scale)) for scale in (3.0, 6.0))

    assert not any(frame.metric for frame in unknown.frames)
    assert all(frame.metric for frame in (*three.frames, *six.frames))
    assert three.reports[0].metric_frames == three.reports[0].frame_count
    for base, one, two in zip(unknown.frames, three.frames, six.frames, strict=True):
        # The scale is rounded to a part per million, float32 to one in ten.
        np.testing.assert_allclose(two.depth, 2.0 * one.depth, rtol=1e-5)
        expected = 3.0 * base.world_T_cam[:3, 3]
        np.testing.assert_allclose(one.world_T_cam[:3, 3], expected, rtol=1e-4, atol=1e-5)


def test_without_evidence_nothing_is_metric_and_the_report_says_why() -> None:
    output = run({'metric.source': 'odometry'}, [Evidence(missing='no tf')] * len(MOTION))

    assert not any(frame.metric for frame in output.frames)
    notes = ' '.join(output.reports[0].notes)
    assert 'no odometry for 6 of 6 frames: no tf' in notes
    assert 'metric scale not observed' in notes
    assert 'not metres' in output.reports[0].unit


def test_source_none_changes_no_bit_whatever_evidence_comes() -> None:
    with_evidence = run({}, [Evidence(odom_T_cam=T) for T in MOTION])
    without = run({}, [Evidence()] * len(MOTION))

    for one, other in zip(with_evidence.frames, without.frames, strict=True):
        np.testing.assert_array_equal(one.depth, other.depth)


def depth_measured(frames: tuple, scale: float, *, wild: float = 0.0) -> list[Evidence]:
    """Give the derived depth, `scale` times as far, as a sparse depth camera sees it."""
    generator = np.random.default_rng(2)
    evidence = []
    for frame in frames:
        depth_m = scale * frame.depth
        stray = generator.random(depth_m.shape) < wild
        depth_m[stray] *= generator.uniform(2.0, 20.0, int(stray.sum()))
        depth_m[generator.random(depth_m.shape) < 0.5] = np.nan
        evidence.append(Evidence(depth=thin_out(depth_m)))
    return evidence


@pytest.mark.parametrize(('wild', 'tolerance'), [(0.0, 0.01), (0.3, 0.3)])
def test_depth_becomes_what_was_measured(wild: float, tolerance: float) -> None:
    unknown = run({}, [Evidence()] * len(MOTION))
    evidence = depth_measured(unknown.frames, 3.0, wild=wild)

    known = run({'metric.source': 'depth'}, evidence)

    assert all(frame.metric for frame in known.frames)
    assert known.reports[0].metric_source == 'depth'
    assert known.reports[0].metric_frames == known.reports[0].frame_count
    # Without outliers only the way up from the network's size is between the two. A third of
    # outliers on one side moves a median to where 2/3 of the good ones lie below it.
    for base, one in zip(unknown.frames, known.frames, strict=True):
        assert np.nanmedian(one.depth / base.depth) == pytest.approx(3.0, rel=tolerance)


def test_positions_get_the_scale_of_the_landmarks_they_rest_on() -> None:
    unknown = run({}, [Evidence()] * len(MOTION))

    known = run({'metric.source': 'depth'}, depth_measured(unknown.frames, 3.0))

    before, after = unknown.frames[-1].world_T_cam[:3, 3], known.frames[-1].world_T_cam[:3, 3]
    # The fake network's depth is wrong all over, so its landmarks disagree with it by some tenths.
    assert np.linalg.norm(after) / np.linalg.norm(before) == pytest.approx(3.0, rel=0.5)


def lidar_measured(frames: tuple, scale: float) -> list[Evidence]:
    """Give the derived depth, `scale` times as far, as a lidar beside the camera sees it."""
    lidar_T_cam = BODY_T_OPTICAL.copy()
    lidar_T_cam[:3, 3] = (0.1, -0.2, 0.3)
    evidence = []
    for n, frame in enumerate(frames):
        seen = unproject(frame.camera, scale * frame.depth).reshape(-1, 3)
        known = seen[np.isfinite(seen).all(axis=1)]
        points = transform(lidar_T_cam, np.concatenate([known, -known]))  # all round
        cloud = Cloud(n, 'lidar', points)
        evidence.append(see_cloud(frame.camera, invert(lidar_T_cam), cloud))
    return evidence


def test_depth_becomes_what_points_were_measured_at() -> None:
    unknown = run({}, [Evidence()] * len(MOTION))

    known = run({'metric.source': 'points'}, lidar_measured(unknown.frames, 3.0))

    assert all(frame.metric for frame in known.frames)
    assert known.reports[0].metric_source == 'points'
    assert known.reports[0].metric_frames == known.reports[0].frame_count
    # Only the way up from the network's size is between the two.
    for base, one in zip(unknown.frames, known.frames, strict=True):
        assert np.nanmedian(one.depth / base.depth) == pytest.approx(3.0, rel=0.01)


def test_without_points_nothing_is_metric_and_the_report_says_why() -> None:
    output = run({'metric.source': 'points'}, [Evidence(missing='no tf')] * len(MOTION))

    assert not any(frame.metric for frame in output.frames)
    assert 'no measured points for 6 of 6 frames: no tf' in ' '.join(output.reports[0].notes)


def test_measured_depth_of_another_size_is_refused_and_the_report_says_so() -> None:
    small = Evidence(depth=thin_out(np.ones((CAMERA.height // 2, CAMERA.width // 2))))

    output = run({'metric.source': 'depth'}, [small] * len(MOTION))

    assert not any(frame.metric for frame in output.frames)
    assert 'measured depth is 80x60, the image is 160x120' in ' '.join(output.reports[0].notes)


def test_measured_depth_that_has_nothing_to_do_with_the_image_is_refused() -> None:
    generator = np.random.default_rng(4)
    size = (CAMERA.height, CAMERA.width)
    noise = [Evidence(depth=thin_out(np.exp(generator.normal(0.0, 2.0, size)))) for _ in MOTION]

    output = run({'metric.source': 'depth'}, noise)

    assert not any(frame.metric for frame in output.frames)
    assert 'must be registered' in ' '.join(output.reports[0].notes)


def test_an_implausible_ground_gives_no_scale() -> None:
    values = {'metric.source': 'camera_height', 'metric.camera_height': 1.2}

    output = run(values, [Evidence()] * len(MOTION))

    # The fake network takes brightness for depth: there is no plane in it.
    assert not any(frame.metric for frame in output.frames)
    assert 'ground' in ' '.join(output.reports[0].notes)


@pytest.mark.parametrize('seed', [0])
def test_two_runs_are_equal_bit_for_bit(seed: int) -> None:
    known = [Evidence(odom_T_cam=T) for T in MOTION]
    values = {'metric.source': 'odometry', 'sampling.seed': seed}

    one, other = run(values, known), run(values, known)

    for a, b in zip(one.frames, other.frames, strict=True):
        np.testing.assert_array_equal(a.depth, b.depth)
