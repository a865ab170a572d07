"""
Open, read and write rosbag2 folders and files. The only file that imports rosbags.

What is written stays under a name that says it is unfinished until all of it is there.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, ExitStack, suppress
from dataclasses import dataclass
from importlib import resources
import os
from pathlib import Path
import shutil
import sqlite3
import struct
import sys
from types import TracebackType
from typing import Any, Final

import apsw
import numpy as np
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader, ReaderError, StoragePlugin, Writer, WriterError
from rosbags.serde import SerdeError
from rosbags.typesys import (
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
    Stores,
    TypesysError,
)

from depthsync_ros.core.errors import InputError

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError

WINDOW_REPORT = 'depthsync_ros/msg/WindowReport'
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
# rosbag2's metadata format of Iron. Every later one reads it, and so does Humble.
BAG_VERSION: Final = 8
# A type whose definition nobody has: rosbags asks for some hash, ROS reads this one as none.
NO_HASH = f'RIHS01_{0:064}'

# What rosbags 0.11 raises on damaged files.
DAMAGE = (
    ReaderError,
    SerdeError,
    ZstdError,
    apsw.Error,
    struct.error,
    EOFError,
    OSError,
    AssertionError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


# ---- message classes ----------------------------------------------------------------------------


class BagVocabulary:
    """rosbags' message classes, ours included, and their bytes; see messages.Vocabulary."""

    def __init__(self) -> None:
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._store.register(get_types_from_msg(_window_report_text(), WINDOW_REPORT))

    def __reduce__(self) -> tuple[type['BagVocabulary'], tuple[()]]:
        return BagVocabulary, ()  # what rosbags generates cannot be pickled, and need not be

    def message(self, name: str) -> Callable[..., Any]:
        """Return the class of a message that is named as 'package/msg/Name'."""
        return self._store.types[name]

    def sequence(self, values: np.ndarray) -> np.ndarray:
        """Give the array itself: rosbags takes arrays."""
        return values

    def serialize(self, message: Any) -> memoryview:
        """Turn a message into CDR bytes."""
        return self._store.serialize_cdr(message, message.__msgtype__)

    def deserialize(self, data: bytes, msgtype: str) -> Any:
        """
        Turn CDR bytes into a message.

        :raises InputError: the bytes are not such a message.
        """
        try:
            return self._store.deserialize_cdr(data, msgtype)
        except (*DAMAGE,) as error:
            raise InputError(
                f'{len(data)} bytes are not a {msgtype} ({error}); the bag is damaged'
            ) from None

    def definition(self, msgtype: str) -> tuple[str, str] | None:
        """Return a type's text and hash, None where it is not among the known ones."""
        if msgtype not in self._store.fielddefs:
            return None
        text, _ = self._store.generate_msgdef(msgtype, ros_version=2)
        return text, self._store.hash_rihs01(msgtype)


def _window_report_text() -> str:
    """Read our message's definition: packaged, or beside the sources of a checkout."""
    packaged = resources.files('depthsync_ros') / 'msg_definitions' / 'WindowReport.msg'
    if packaged.is_file():
        return packaged.read_text(encoding='utf-8')
    checkout = Path(__file__).parents[2] / 'msg' / 'WindowReport.msg'
    return checkout.read_text(encoding='utf-8')


# ---- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Topic:
    """A topic of a bag, with how many messages it holds."""

    name: str
    msgtype: str
    count: int


@dataclass(frozen=True, eq=False)
class BagMessage:
    """One message as it lies in the bag. log_ns is when it was recorded."""

    topic: str
    msgtype: str
    log_ns: int
    data: bytes
    connection: Connection


class BagReader:
    """
    Reads one rosbag2: a folder, or a single .mcap or .db3 file. Use it in a with statement.

    :raises InputError: not a bag, cut off, damaged, or empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        self._reader: Reader

    def __enter__(self) -> 'BagReader':
        with _explained(self.path):
            _check_databases(self.path)
            self._reader = Reader(self.path)
            self._stack.enter_context(self._reader)
        try:
            self._check_complete()
        except InputError:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def storage(self) -> str:
        """How the bag is stored: 'mcap' or 'sqlite3'."""
        parts = self._parts()
        return 'mcap' if Path(parts[0].path).suffix == '.mcap' else 'sqlite3'

    @property
    def start_ns(self) -> int:
        """When the first message was recorded."""
        return self._reader.start_time

    @property
    def connections(self) -> Sequence[Connection]:
        """What a writer needs to copy the topics."""
        return self._reader.connections

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic with its type; one that was published as two types appears twice."""
        counts: dict[tuple[str, str], int] = {}
        for connection in self._reader.connections:
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        return tuple(Topic(*key, count) for key, count in sorted(counts.items()))

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """
        Give the messages of some topics (of all, if none is named) in the order of recording.

        :raises InputError: the bag turns out to be damaged.
        """
        chosen = [x for x in self._reader.connections if not topics or x.topic in topics]
        if not chosen:
            return
        seen = 0
        with _explained(self.path):
            for connection, log_ns, data in self._reader.messages(chosen):
                seen += 1
                yield BagMessage(connection.topic, connection.msgtype, log_ns, data, connection)
        self._check_count(seen, sum(connection.msgcount for connection in chosen))

    def _parts(self) -> Sequence[Any]:
        return getattr(self._reader.storage, 'storages', [self._reader.storage])

    def _check_complete(self) -> None:
        needed = self._reader.message_count
        if needed == 0:
            raise InputError(f'{self.path} holds no messages; record again')
        self._check_count(
            sum(x.msgcount for part in self._parts() for x in part.connections), needed
        )

    def _check_count(self, seen: int, needed: int) -> None:
        if seen < needed:
            raise InputError(
                f'{self.path} holds {seen} messages where its index counts {needed}: the bag is '
                'cut off; copy it again, or run `ros2 bag reindex` to accept what is there'
            )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say in our words what rosbags found wrong with a file."""
    try:
        yield
    except FileNotFoundError as error:
        if 'Expected metadata' in str(error):
            raise InputError(
                f'{path} has no metadata.yaml: it is not a rosbag2 folder, or its recording was '
                'not closed; run `ros2 bag reindex`, or give the .mcap or .db3 file inside'
            ) from None
        raise InputError(f'{path} does not exist ({error})') from None
    except ReaderError as error:
        if 'Unrecognized storage format' in str(error):
            raise InputError(
                f'{path} is not a bag: a rosbag2 folder, a .mcap or a .db3 file is needed '
                '(`rosbags-convert` turns a ROS 1 .bag into one)'
            ) from None
        raise _damaged(path, error) from None
    except (*DAMAGE,) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> InputError:
    said = str(error) or type(error).__name__
    return InputError(
        f'{path} cannot be read, it is cut off or damaged ({said.rstrip(".")}); copy it again, '
        'or repair it (`mcap recover`, `ros2 bag reindex`)'
    )


def _check_databases(path: Path) -> None:
    """Refuse a database that was cut off or not closed: SQLite would read it in part."""
    files = sorted(path.glob('*.db3')) if path.is_dir() else [path]
    for file in files:
        for suffix in ('-wal', '-journal'):
            log = file.with_name(file.name + suffix)
            if log.exists() and log.stat().st_size:
                raise InputError(
                    f'{log} exists: the recording of {file} was not closed and part of it lies '
                    f"there; run `sqlite3 {file} 'pragma wal_checkpoint(truncate)'` first"
                )
        if file.suffix == '.db3' and file.is_file():
            size, needed = file.stat().st_size, _database_bytes(file)
            if size < needed:
                raise _damaged(file, ReaderError(f'{size} of {needed} bytes are there'))


def _database_bytes(file: Path) -> int:
    """
    Return how large an SQLite file says it is, 0 where it does not.

    Source: SQLite's file format, sections 1.3.2 and 1.3.8: page size and number of pages.
    """
    with file.open('rb') as stream:
        header = stream.read(32)
    if len(header) < 32 or not header.startswith(b'SQLite format 3\0'):
        return 0
    page, pages = struct.unpack_from('>H10xI', header, 16)
    return int(pages) * (65536 if page == 1 else int(page))


# ---- writing ------------------------------------------------------------------------------------


class BagWriter:
    """
    Writes one rosbag2 folder, all or nothing. Use it in a with statement.

    The bag grows in a hidden folder beside the target, `.NAME.unfinished-PID`, and gets its name
    when the with statement ends without an exception; otherwise the folder is removed.

    :raises InputError: the target exists and must not be overwritten, or cannot be written.
    """

    def __init__(self, target: Path, storage: str, *, overwrite: bool = False) -> None:
        self._target = target.absolute()
        self._overwrite = overwrite
        self._workshop = self._target.with_name(f'.{target.name}.unfinished-{os.getpid()}')
        plugin = STORAGES[storage]
        bag = self._workshop / self._target.name
        self._writer = Writer(bag, version=BAG_VERSION, storage_plugin=plugin)
        self._copies: dict[int, Connection] = {}
        self.words = BagVocabulary()

    def __enter__(self) -> 'BagWriter':
        check_target(self._target, overwrite=self._overwrite)
        with self._explained():
            self._workshop.mkdir()
            try:
                self._writer.open()
            except BaseException:
                self._remove()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with self._explained():
                    self._writer.close()
                    self._publish()
            else:
                with suppress(OSError, sqlite3.Error):
                    self._writer.abort()
        finally:
            self._remove()

    def add(self, topic: str, msgtype: str) -> Connection:
        """Add a topic of a type that BagVocabulary knows; an equal one is used again."""
        for connection in self._writer.connections:
            if (connection.topic, connection.msgtype) == (topic, msgtype):
                return connection
        definition = self.words.definition(msgtype)
        if definition is None:
            raise InputError(f'{topic}: nobody knows the type {msgtype}')
        text, digest = definition
        return self._writer.add_connection(topic, msgtype, msgdef=text, rihs01=digest)

    def add_copy(self, source: Connection) -> bool:
        """
        Add a topic of another bag as it is, and say whether its type's definition was found.

        Convention: publishers of one topic that differ in nothing but their number become one.
        """
        text, digest = self._definition(source)
        qos = getattr(source.ext, 'offered_qos_profiles', [])
        same = (source.topic, source.msgtype, repr(qos))
        for added in self._writer.connections:
            known = getattr(added.ext, 'offered_qos_profiles', [])
            if (added.topic, added.msgtype, repr(known)) == same:
                self._copies[id(source)] = added
                return bool(text)
        self._copies[id(source)] = self._writer.add_connection(
            source.topic,
            source.msgtype,
            msgdef=text,
            rihs01=digest,
            offered_qos_profiles=qos,
        )
        return bool(text)

    def copy(self, message: BagMessage) -> None:
        """Write a message of a topic that add_copy has added."""
        with self._explained():
            self._writer.write(self._copies[id(message.connection)], message.log_ns, message.data)

    def write(self, connection: Connection, log_ns: int, message: Any) -> None:
        """Write one of our own messages."""
        with self._explained():
            self._writer.write(connection, log_ns, self.words.serialize(message))

    def _definition(self, source: Connection) -> tuple[str, str]:
        """Find a topic's definition and hash: the bag's own, else the known types'."""
        text = source.msgdef.data if source.msgdef.format != MessageDefinitionFormat.NONE else ''
        if not text:
            return self.words.definition(source.msgtype) or ('', source.digest or NO_HASH)
        return text, source.digest or _hash(source, text)

    def _publish(self) -> None:
        """Give the finished bag its name; an old one is removed only then."""
        finished, old = self._workshop / self._target.name, self._workshop / 'old'
        if self._target.exists():
            check_target(self._target, overwrite=self._overwrite)
            self._target.rename(old)
        try:
            finished.rename(self._target)
        except BaseException:
            if old.exists() and not self._target.exists():
                old.rename(self._target)
            raise

    def _remove(self) -> None:
        shutil.rmtree(self._workshop, ignore_errors=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, WriterError) as error:
            raise InputError(
                f'{self._target} cannot be written ({error}); free space, or choose another place'
            ) from None


def check_target(target: Path, *, overwrite: bool) -> None:
    """
    Refuse a place that a new bag must not go to.

    :raises InputError: it is taken, or its folder does not exist.
    """
    if not target.absolute().parent.is_dir():
        raise InputError(f'{target.absolute().parent} is not a folder; create it first')
    if not target.exists() and not target.is_symlink():
        return
    if not overwrite:
        raise InputError(f'{target} exists; choose another name, or pass --overwrite')
    if not (target / 'metadata.yaml').is_file():
        raise InputError(f'{target} exists and is not a bag; --overwrite replaces bags alone')


def _hash(source: Connection, text: str) -> str:
    """Compute the hash of a type that lies in the bag without one (a lone .mcap file)."""
    try:
        store = get_typestore(Stores.EMPTY)
        if source.msgdef.format == MessageDefinitionFormat.MSG:
            store.register(get_types_from_msg(text, source.msgtype))
        else:
            store.register(get_types_from_idl(text))
        return store.hash_rihs01(source.msgtype)
    except (TypesysError, LookupError):
        return NO_HASH
