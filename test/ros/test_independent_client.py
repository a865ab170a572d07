"""A DDS client that is not ours, nor Fast DDS, hears the node's tf."""

from dataclasses import dataclass
import os

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: the node needs ROS 2 or its wheels')
pytest.importorskip('cyclonedds', reason='pip install cyclonedds for an independent client')

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, int32, sequence, uint32
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration
from robot import FRAME_ID, Robot, stamp_ns, wait_until

# ROS's middleware mangles names: topic rt/<name>, type <package>::msg::dds_::<Name>_.
LOOPBACK = """
<CycloneDDS><Domain Id="any">
  <General>
    <Interfaces><NetworkInterface name="lo" multicast="true"/></Interfaces>
  </General>
  <Discovery><ParticipantIndex>auto</ParticipantIndex><Peers><Peer Address="localhost"/></Peers>
  </Discovery>
</Domain></CycloneDDS>
"""


@dataclass
class Time_(IdlStruct, typename='builtin_interfaces::msg::dds_::Time_'):
    sec: int32
    nanosec: uint32


@dataclass
class Header_(IdlStruct, typename='std_msgs::msg::dds_::Header_'):
    stamp: Time_
    frame_id: str


@dataclass
class Vector3_(IdlStruct, typename='geometry_msgs::msg::dds_::Vector3_'):
    x: float64
    y: float64
    z: float64


@dataclass
class Quaternion_(IdlStruct, typename='geometry_msgs::msg::dds_::Quaternion_'):
    x: float64
    y: float64
    z: float64
    w: float64


@dataclass
class Transform_(IdlStruct, typename='geometry_msgs::msg::dds_::Transform_'):
    translation: Vector3_
    rotation: Quaternion_


@dataclass
class TransformStamped_(IdlStruct, typename='geometry_msgs::msg::dds_::TransformStamped_'):
    header: Header_
    child_frame_id: str
    transform: Transform_


@dataclass
class TFMessage_(IdlStruct, typename='tf2_msgs::msg::dds_::TFMessage_'):
    transforms: sequence[TransformStamped_]


def test_an_independent_client_receives_tf(node, robot: Robot) -> None:
    domain_id = int(os.environ['ROS_DOMAIN_ID'])
    domain = Domain(domain_id, LOOPBACK)
    participant = DomainParticipant(domain_id)
    topic = Topic(participant, 'rt/tf', TFMessage_)
    reliable = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepAll)
    reader = DataReader(participant, topic, qos=reliable)
    wait_until(lambda: reader.get_subscription_matched_status().current_count, 'a match')

    robot.play(range(20))
    robot.flush_all(20)
    received: list[TransformStamped_] = []

    def take() -> bool:
        received.extend(t for message in reader.take(100) for t in message.transforms)
        return len(received) >= 20

    wait_until(take, '20 transforms')

    stamps = [t.header.stamp.sec * 10**9 + t.header.stamp.nanosec for t in received]
    assert stamps == [stamp_ns(number) for number in range(20)]
    assert {(t.header.frame_id, t.child_frame_id) for t in received} == {
        (FRAME_ID, 'depthsync_world')
    }
    del domain
