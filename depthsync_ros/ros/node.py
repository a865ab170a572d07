"""The lifecycle node: parameters, topics and services around one worker thread."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
import gc
import threading
import traceback
from typing import Any, TypeAlias

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
import torch

from depthsync_ros.core.backbone import Backbone
from depthsync_ros.core.errors import DepthSyncError
from depthsync_ros.core.pipeline import Pipeline
from depthsync_ros.core.settings import DepthSyncSettings, ModelSettings
from depthsync_ros.ros import convert, params
from depthsync_ros.ros import ledger as book
from depthsync_ros.ros.convert import Arrival
from depthsync_ros.ros.diagnostics import Health, NO_TOPIC, OutputHealth, status, Topic
from depthsync_ros.ros.inbox import Command, Inbox
from depthsync_ros.ros.inputs import CameraInput
from depthsync_ros.ros.ledger import Ledger
from depthsync_ros.ros.metric_sources import MetricSource, open_source
from depthsync_ros.ros.outputs import Publishers
from depthsync_ros.ros.qos import TopicWatch
from depthsync_ros.ros.settings import check_together, NodeSettings
from depthsync_ros.ros.worker import FLUSH, RESET, Worker

LoadBackbone: TypeAlias = Callable[[ModelSettings], Backbone]
SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)
ROOTS = (DepthSyncSettings(), NodeSettings())
OVERLOADED = {'drop_oldest': book.QUEUE_FULL, 'stride': book.THINNED}
DIAGNOSTICS_S = 1.0
SHORTEST_QUEUE = 60  # frames; two seconds of video
WATCH_S = 0.5


class DepthSyncNode(LifecycleNodeMixin, Node):
    """
    Images and camera_info in; depth, odometry, tf and reports out.

    configure loads the model and makes publishers and services; activate subscribes and starts
    the worker; deactivate is the reverse; cleanup frees the model.

    :param load_backbone: gives the network that the settings name.
    :raises ConfigError: a parameter's value from a file or the command line breaks a rule.
    """

    def __init__(self, load_backbone: LoadBackbone, **node_options: Any) -> None:
        Node.__init__(self, 'depthsync', **node_options)
        # Groups of their own: loading a model or waiting for a flush holds up nothing else.
        self._lifecycle_group = MutuallyExclusiveCallbackGroup()
        self._command_group = MutuallyExclusiveCallbackGroup()
        LifecycleNodeMixin.__init__(self, callback_group=self._lifecycle_group)
        self._refuse_illegal_transitions()
        self._load_backbone = load_backbone
        self._declare_parameters()

        self._ledger = Ledger()
        self._failure = ''
        self._dropped_before = 0
        self._pipeline: Pipeline | None = None
        self._results: Publishers | None = None
        self._services_made: list[Any] = []
        self._inbox: Inbox[Arrival] | None = None
        self._worker: Worker | None = None
        self._input: CameraInput | None = None
        self._metres: MetricSource | None = None

        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # ticks also while simulated time stands
        group = MutuallyExclusiveCallbackGroup()
        self.create_timer(DIAGNOSTICS_S, self._publish_diagnostics, group, steady)
        self.create_timer(WATCH_S, self._watch, self._lifecycle_group, steady)

    # ---- lifecycle ------------------------------------------------------------------------------

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; a reason that a user can act on is FAILURE, and may be retried."""
        try:
            self._node_settings = params.read(self, ROOTS[1])
            check_together(self._settings, self._node_settings)
            pipeline = Pipeline(self._load_backbone(self._settings.model), self._settings)
        except DepthSyncError as error:
            return self._fail(f'not configured: {error}')
        self._failure = ''
        self._ledger = Ledger()
        self._dropped_before = 0
        self._pipeline = pipeline
        self._results = Publishers(self, self._node_settings, pipeline.length)
        self._services_made = [
            self.create_service(
                Trigger,
                f'~/{name}',
                partial(self._on_command, name),
                callback_group=self._command_group,
            )
            for name in (FLUSH, RESET)
        ]
        backbone = pipeline.backbone
        self.get_logger().info(
            f'configured: {backbone.name} on {backbone.device}, windows of {pipeline.length} '
            f'frames that share {pipeline.overlap}'
        )
        return SUCCESS

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker, then subscribe."""
        pipeline, settings = self._pipeline, self._node_settings.input
        self._inbox = Inbox(
            settings.queue_frames or max(SHORTEST_QUEUE, 2 * pipeline.length),
            thin=settings.overload == 'stride',
        )
        self._worker = Worker(
            pipeline,
            self._results,
            self._ledger,
            self._inbox,
            decode=partial(convert.frame, rectified=settings.rectified),
            settings=lambda: self._settings,
            logger=self.get_logger(),
        )
        self._worker.start()
        hear_tf = self._results.robot.hear_tf
        self._metres = open_source(self, hear_tf, self._settings.metric, settings)
        self._input = CameraInput(self, settings, self._ledger, self._on_pair)
        self.get_logger().info(
            f'active: images from {self._input.images.topic}, calibration from '
            f'{self._input.infos.topic}'
        )
        return SUCCESS

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, stop the worker after the call under way, book what was left."""
        return self._stop()

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model, take topics and services back."""
        self._free()
        return SUCCESS

    def on_shutdown(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free, from whatever state."""
        self._stop()
        self._free()
        return SUCCESS

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Come back to unconfigured, so that configure may be tried again."""
        self._stop()
        self._free()
        return SUCCESS

    def shut_down(self) -> None:
        """Shut down in order, from whatever thread and state; once finalized, do nothing."""
        with self._transitions:
            if self._state_machine.current_state[1] in ('unconfigured', 'inactive', 'active'):
                self.trigger_shutdown()

    def _stop(self) -> TransitionCallbackReturn:
        """Stop what runs, also where an activation failed half-way."""
        if self._input is not None:
            self._input.close()
        if self._metres is not None:
            self._metres.close()
        self._input = self._metres = None
        if self._worker is None:
            return SUCCESS
        self._worker.stop()
        bug = self._worker.bug
        self._ledger.close(book.DEACTIVATED if bug is None else book.BUG)
        self._worker = self._inbox = None
        self.get_logger().info(f'inactive: {self._ledger.counts()}')
        return SUCCESS if bug is None else ERROR

    def _free(self) -> None:
        for service in self._services_made:
            self.destroy_service(service)
        if self._results is not None:
            self._results.close()
        self._services_made, self._results, self._pipeline = [], None, None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _fail(self, reason: str) -> TransitionCallbackReturn:
        self._failure = reason
        self.get_logger().error(reason)
        return FAILURE

    def _watch(self) -> None:
        """Make a bug that ended the worker visible: log it and leave the active state."""
        bug = self._worker.bug if self._worker is not None else None
        if bug is not None:
            self._failure = f'the worker was stopped by a bug: {type(bug).__name__}: {bug}'
            self.get_logger().fatal(''.join(traceback.format_exception(bug)))
            with self._transitions:
                self.trigger_deactivate()

    def _refuse_illegal_transitions(self) -> None:
        """Answer an illegal transition with False; rclpy lets it end the whole process."""
        self._transitions = threading.RLock()
        service = self._service_change_state
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                with self._transitions:
                    return change_state(request, response)
            except rclpy_implementation.RCLError as error:
                self.get_logger().warning(f'transition refused: {error}')
                response.success = False
                return response

        service.callback = answer

    # ---- parameters -----------------------------------------------------------------------------

    def _declare_parameters(self) -> None:
        params.declare(self, ROOTS)
        for name, nearest in params.unknown(self._parameter_overrides, ROOTS).items():
            self.get_logger().warning(
                f'parameter {name} is not known and was ignored; the nearest is {nearest}'
            )
        self._settings = params.read(self, ROOTS[0])
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        return params.check(self, ROOTS, changed)

    def _take_parameters(self, _changed: list[Parameter]) -> None:
        self._settings = params.read(self, ROOTS[0])

    # ---- frames and commands in -----------------------------------------------------------------

    def _on_pair(self, arrival: Arrival) -> None:
        self._results.arrive(arrival)
        metres = self._metres
        if metres is not None:
            arrival = replace(arrival, evidence=metres.ask(arrival))
        inbox = self._inbox
        displaced = inbox.put(arrival)
        why = OVERLOADED[self._node_settings.input.overload]
        self._ledger.dropped(len(displaced), book.DEACTIVATED if inbox.closed else why)

    def _on_command(
        self, name: str, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        command, inbox = Command(name), self._inbox
        if inbox is not None and inbox.put_command(command):
            response.success, response.message = command.wait()
        else:
            response.success, response.message = False, 'the node is not active'
        return response

    # ---- diagnostics ----------------------------------------------------------------------------

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [status(self.get_fully_qualified_name().lstrip('/'), self._health())]
        self._diagnostics.publish(message)

    def _topic(self, watch: TopicWatch) -> Topic:
        return Topic(watch.topic, self.count_publishers(watch.topic), watch.misfit, watch.lost)

    def _health(self) -> Health:
        counts = self._ledger.counts()
        newly, self._dropped_before = counts.dropped - self._dropped_before, counts.dropped
        pipeline, inbox, inputs = self._pipeline, self._inbox, self._input
        return Health(
            state=self._state_machine.current_state[1],
            model=pipeline.backbone.name if pipeline else '',
            failure=self._failure,
            counts=counts,
            newly_dropped=newly,
            queued=len(inbox) if inbox is not None else 0,
            step=inbox.step if inbox is not None else 1,
            pending=pipeline.pending if pipeline else 0,
            missing=inputs.gaps.missing if inputs else 0,
            images=self._topic(inputs.images) if inputs else NO_TOPIC,
            infos=self._topic(inputs.infos) if inputs else NO_TOPIC,
            latched=self._node_settings.input.camera_info == 'latched' if inputs else False,
            metric=self._results.metric if self._results else False,
            report=self._results.report if self._results else None,
            outputs=self._results.health() if self._results else OutputHealth(),
        )
