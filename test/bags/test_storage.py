from pathlib import Path
import re
import sqlite3

import pytest
from rosbags.rosbag2 import CompressionMode
from synthetic import camera_rows, CUSTOM, log_of, robot_rows, Row, STORE, tf, write_rows

from depthsync_ros.bags.storage import BagReader, BagVocabulary, BagWriter
from depthsync_ros.core.errors import InputError

BOTH = pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])


def contents(path):
    with BagReader(path) as bag:
        return [(x.topic, x.msgtype, x.log_ns, bytes(x.data)) for x in bag.messages()]


def copy(source, target, storage='mcap', **options):
    with BagReader(source) as bag, BagWriter(target, storage, **options) as out:
        found = [out.add_copy(connection) for connection in bag.connections]
        for message in bag.messages():
            out.copy(message)
    return all(found)


@BOTH
def test_messages_come_in_the_order_of_recording(tmp_path, storage) -> None:
    rows = robot_rows(5)
    bag = write_rows(tmp_path / 'bag', rows, storage)

    seen = contents(bag)

    assert [(topic, log_ns) for topic, _, log_ns, _ in seen] == [
        (row.topic, row.log_ns) for row in rows
    ]


@BOTH
@pytest.mark.parametrize('mode', [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_compressed_bags_are_read(tmp_path, storage, mode) -> None:
    plain = write_rows(tmp_path / 'plain', robot_rows(3), storage)
    packed = write_rows(tmp_path / 'packed', robot_rows(3), storage, mode)

    assert contents(packed) == contents(plain)


def test_a_single_file_is_read_without_its_folder(tmp_path) -> None:
    for storage, suffix in (('mcap', 'mcap'), ('sqlite3', 'db3')):
        bag = write_rows(tmp_path / storage, robot_rows(3), storage)

        assert contents(bag / f'{storage}.{suffix}') == contents(bag)


@BOTH
def test_topics_are_counted_by_type(tmp_path, storage) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(3), storage)

    with BagReader(bag) as reader:
        topics = {topic.name: (topic.msgtype, topic.count) for topic in reader.topics}
        assert reader.storage == storage

    assert topics['/battery'] == (CUSTOM, 3)
    assert topics['/cam/image_raw'] == ('sensor_msgs/msg/Image', 3)


@pytest.mark.parametrize('source', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('target', ['mcap', 'sqlite3'])
def test_a_copy_is_equal_byte_for_byte_in_either_storage(tmp_path, source, target) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(4), source)

    assert copy(bag, tmp_path / 'copy', target)

    assert contents(tmp_path / 'copy') == contents(bag)
    with BagReader(bag) as one, BagReader(tmp_path / 'copy') as other:
        texts = {x.msgtype: (x.msgdef, x.digest) for x in one.connections}
        assert {x.msgtype: (x.msgdef, x.digest) for x in other.connections} == texts
        assert other.storage == target


def test_a_copy_of_a_lone_mcap_file_gets_its_types_hashes(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(2))

    copy(bag / 'bag.mcap', tmp_path / 'copy')

    with BagReader(tmp_path / 'copy') as out:
        digests = {x.msgtype: x.digest for x in out.connections}
    assert digests[CUSTOM] == STORE.hash_rihs01(CUSTOM)


def without_definitions(bag: Path) -> Path:
    """Make the bag one of Humble's: sqlite3 without any message definition."""
    file = bag / f'{bag.name}.db3'
    with sqlite3.connect(file) as database:
        database.execute('DELETE FROM message_definitions')
        database.execute("UPDATE topics SET type_description_hash = ''")
    database.close()
    meta = bag / 'metadata.yaml'
    text = meta.read_text()
    meta.write_text(re.sub(r'type_description_hash:\s+\S+', "type_description_hash: ''", text))
    return bag


def test_a_bag_without_definitions_is_copied_and_the_unknown_type_reported(tmp_path) -> None:
    bag = without_definitions(write_rows(tmp_path / 'bag', robot_rows(3), 'sqlite3'))

    assert not copy(bag, tmp_path / 'copy')  # nobody knows robot_msgs/Battery

    assert contents(tmp_path / 'copy') == contents(bag)
    with BagReader(tmp_path / 'copy') as out:
        texts = {x.msgtype: x.msgdef.data for x in out.connections}
    assert texts[CUSTOM] == ''
    assert 'uint32 height' in texts['sensor_msgs/msg/Image']


# ---- what is no bag -----------------------------------------------------------------------------


def refused(path, said):
    with pytest.raises(InputError, match=said), BagReader(path) as bag:
        list(bag.messages())


def test_what_is_no_bag_is_refused(tmp_path) -> None:
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'old.bag').write_bytes(b'#ROSBAG V2.0\n')
    (tmp_path / 'text.mcap').write_text('no bag at all, but long enough for a footer: ' * 3)
    (tmp_path / 'text.db3').write_text('no bag at all')
    (tmp_path / 'empty.mcap').touch()

    refused(tmp_path / 'nowhere', 'nowhere does not exist')
    refused(tmp_path / 'folder', r'no metadata.yaml: .* run `ros2 bag reindex`')
    refused(tmp_path / 'old.bag', 'is not a bag: .*`rosbags-convert`')
    refused(tmp_path / 'text.mcap', r'damaged \(File magic is invalid\)')
    refused(tmp_path / 'text.db3', 'cut off or damaged')
    refused(tmp_path / 'empty.mcap', 'seems to be empty')


@BOTH
def test_an_empty_bag_is_refused(tmp_path, storage) -> None:
    bag = write_rows(tmp_path / 'bag', [], storage)

    refused(bag, 'holds no messages')


@BOTH
def test_a_bag_cut_off_anywhere_is_refused(tmp_path, storage) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(60), storage)
    file = next(bag.glob('bag.*'))
    whole = file.read_bytes()

    for share in (0.0, 0.02, 0.3, 0.6, 0.9, 0.999):
        file.write_bytes(whole[: int(share * len(whole))])
        refused(bag, 'cut off or damaged')
        refused(file, 'cut off or damaged')


@BOTH
def test_a_bag_with_a_flipped_middle_is_refused_or_read(tmp_path, storage) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(60), storage)
    file = next(bag.glob('bag.*'))
    whole = file.read_bytes()
    explained = 0

    for start in range(100, len(whole) - 600, len(whole) // 40):
        file.write_bytes(whole[:start] + b'\xff' * 500 + whole[start + 500 :])
        try:
            contents(bag)
        except InputError:
            explained += 1

    assert explained > 0, 'no damage was noticed: this test would pass without checking anything'


def test_a_folder_with_fewer_messages_than_it_counts_is_refused(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(3), 'sqlite3')
    with sqlite3.connect(bag / 'bag.db3') as database:
        database.execute('DELETE FROM messages WHERE id > 10')
    database.close()

    refused(bag, r'holds 10 messages where its index counts 12: the bag is cut off')


def test_messages_that_the_index_hides_are_missed(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(3))
    meta = bag / 'metadata.yaml'
    meta.write_text(meta.read_text().replace('name: /battery', 'name: /batteries'))

    refused(bag, r'holds 9 messages where its index counts 12')


def test_a_database_that_was_not_closed_is_refused(tmp_path) -> None:
    bag = write_rows(tmp_path / 'bag', robot_rows(3), 'sqlite3')
    (bag / 'bag.db3-wal').write_bytes(b'messages')

    refused(bag, r'bag.db3-wal exists: the recording .* was not closed')


# ---- all or nothing -----------------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@BOTH
def test_the_target_appears_only_when_it_is_complete(tmp_path, storage) -> None:
    with BagWriter(tmp_path / 'out', storage) as out:
        connection = out.add('/tf', 'tf2_msgs/msg/TFMessage')
        out.write(connection, log_of(0), tf(log_of(0)))
        (unfinished,) = names(tmp_path)
        assert unfinished.startswith('.out.unfinished-')

    assert names(tmp_path) == ['out']
    assert len(contents(tmp_path / 'out')) == 1


@BOTH
@pytest.mark.parametrize('error', [KeyboardInterrupt, SystemExit, InputError, ZeroDivisionError])
def test_nothing_is_left_after_a_failure(tmp_path, storage, error) -> None:
    def fail():
        with BagWriter(tmp_path / 'out', storage) as out:
            out.write(out.add('/tf', 'tf2_msgs/msg/TFMessage'), log_of(0), tf(log_of(0)))
            raise error

    with pytest.raises(error):
        fail()

    assert names(tmp_path) == []


def test_a_taken_place_is_refused(tmp_path) -> None:
    taken = write_rows(tmp_path / 'out', robot_rows(1))
    before = contents(taken)

    with pytest.raises(InputError, match=r'out exists; .* --overwrite'), BagWriter(taken, 'mcap'):
        pass

    assert contents(taken) == before
    assert names(tmp_path) == ['out']


def test_overwriting_replaces_a_bag_only_when_the_new_one_is_complete(tmp_path) -> None:
    old = contents(write_rows(tmp_path / 'out', robot_rows(1)))
    new = write_rows(tmp_path / 'new', robot_rows(2))

    with pytest.raises(KeyError), BagWriter(tmp_path / 'out', 'mcap', overwrite=True):
        raise KeyError

    assert contents(tmp_path / 'out') == old
    copy(new, tmp_path / 'out', overwrite=True)
    assert contents(tmp_path / 'out') == contents(new)
    assert names(tmp_path) == ['new', 'out']


def test_overwriting_spares_what_is_no_bag(tmp_path) -> None:
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'one.jpg').touch()

    with (
        pytest.raises(InputError, match=r'is not a bag; --overwrite replaces bags alone'),
        BagWriter(tmp_path / 'photos', 'mcap', overwrite=True),
    ):
        pass

    assert names(tmp_path / 'photos') == ['one.jpg']


def test_a_missing_folder_is_not_made(tmp_path) -> None:
    with (
        pytest.raises(InputError, match='nowhere is not a folder'),
        BagWriter(tmp_path / 'nowhere' / 'out', 'mcap'),
    ):
        pass


def test_a_full_disk_is_explained(tmp_path, monkeypatch) -> None:
    def fail(*_):
        raise OSError(28, 'No space left on device')

    def write():
        with BagWriter(tmp_path / 'out', 'mcap') as out:
            connection = out.add('/tf', 'tf2_msgs/msg/TFMessage')
            monkeypatch.setattr(out._writer, 'write', fail)
            out.write(connection, log_of(0), tf(log_of(0)))

    with pytest.raises(InputError, match=r'out cannot be written .*No space left.*free space'):
        write()

    assert names(tmp_path) == []


def test_bytes_of_another_type_are_refused() -> None:
    with pytest.raises(InputError, match='3 bytes are not a sensor_msgs/msg/Image'):
        BagVocabulary().deserialize(b'abc', 'sensor_msgs/msg/Image')


def test_a_topic_of_two_types_is_two_topics(tmp_path) -> None:
    rows = [*camera_rows(2), Row('/cam/image_raw', log_of(3), tf(log_of(3)))]
    bag = write_rows(tmp_path / 'bag', rows)

    with BagReader(bag) as reader:
        found = [(x.msgtype, x.count) for x in reader.topics if x.name == '/cam/image_raw']

    assert found == [('sensor_msgs/msg/Image', 2), ('tf2_msgs/msg/TFMessage', 1)]
