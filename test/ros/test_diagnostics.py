"""The status names what is wrong and the remedy."""

from dataclasses import replace

import pytest

from depthsync_ros.ros.ledger import Ledger, QUEUE_FULL

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')

from diagnostic_msgs.msg import DiagnosticStatus

from depthsync_ros.ros.diagnostics import Health, status, Topic


def counts(images: int = 100, infos: int = 100, matched: int = 100, **dropped: int):
    ledger = Ledger()
    ledger.count('images', images)
    ledger.count('infos', infos)
    ledger.count('matched', matched)
    for number in dropped.values():
        ledger.dropped(number, QUEUE_FULL)
    return ledger.counts()


IMAGES = Topic('/cam/image', 1)
SILENT = counts(images=0, matched=0)
MISFIT = replace(IMAGES, misfit='RELIABILITY')
WELL = Health(
    state='active',
    model='embedded',
    failure='',
    counts=counts(),
    newly_dropped=0,
    queued=3,
    step=1,
    pending=5,
    missing=0,
    images=IMAGES,
    infos=Topic('/cam/camera_info', 1),
    latched=False,
    metric=False,
)


def values(health: Health) -> dict[str, str]:
    return {pair.key: pair.value for pair in status('depthsync', health).values}


def test_all_well_says_the_state_and_that_the_unit_is_not_metres() -> None:
    said = status('depthsync', WELL)

    assert (said.level, said.message) == (DiagnosticStatus.OK, 'active')
    assert values(WELL)['unit'] == 'constant unit of this run (not metres)'
    assert values(WELL)['waiting in queue'] == '3'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'missing': 20}, ('20 images did not arrive', 'FASTDDS_BUILTIN_TRANSPORTS')),
        ({'counts': SILENT}, ('no image on /cam/image', 'input.reliability')),
        (
            {
                'counts': counts(images=0, matched=0),
                'images': replace(IMAGES, misfit='RELIABILITY'),
            },
            (
                '/cam/image: its publisher does not fit in RELIABILITY',
                "to 'sensor_data', or let it",
            ),
        ),
        ({'images': replace(IMAGES, lost=7)}, ('middleware lost 7 images', 'FASTDDS')),
        (
            {'counts': SILENT, 'images': replace(IMAGES, publishers=0)},
            ('nobody publishes image on /cam/image', 'remap'),
        ),
        (
            {'counts': counts(matched=60)},
            ('40 images have no camera_info', 'remap', 'latched'),
        ),
        ({'newly_dropped': 2, 'counts': counts(lost=2)}, ('2 frames dropped', QUEUE_FULL)),
    ],
)
def test_what_is_wrong_is_a_warning_with_the_remedy(changes, words, monkeypatch) -> None:
    monkeypatch.delenv('RMW_IMPLEMENTATION', raising=False)

    said = status('depthsync', replace(WELL, **changes))

    assert said.level == DiagnosticStatus.WARN
    for word in words:
        assert word in said.message


def test_a_failure_is_an_error_before_anything_else() -> None:
    said = status('depthsync', replace(WELL, failure='not configured: no weights', missing=50))

    assert (said.level, said.message) == (DiagnosticStatus.ERROR, 'not configured: no weights')
