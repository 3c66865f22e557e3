"""What the program counts about itself, as Prometheus families and as text.

Apart from the route, so that a server that nobody scrapes does not hold the library.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from barograph.services.core import Core
from barograph.services.telemetry import COMMIT_SECONDS


class Exposition:
    """The text that a scraper gets: of all processes, told apart by the label `worker`."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, core: Core) -> None:
        self._core = core
        self._registry = CollectorRegistry()
        self._registry.register(_Telemetry(core))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Prometheus' text format, of now."""
        own = self.of_this_process()
        worker = self._core.telemetry.worker
        if worker is None:
            return own
        return generate_latest(_Processes({worker: own, **self._core.others_counted()}))

    def of_this_process(self) -> bytes:
        """The same of this process alone, without the label."""
        return generate_latest(self._registry)


class _Processes(Collector):
    """What several processes said, each by its number; None: one did not answer."""

    def __init__(self, said: Mapping[int, bytes | None]) -> None:
        self._said = said

    def collect(self) -> Iterable[Family]:
        """The families of all of them."""
        up = GaugeMetricFamily(
            "barograph_worker_up", "Whether the process could be asked.", labels=["worker"]
        )
        families: dict[str, Family] = {up.name: up}
        for worker, text in sorted(self._said.items()):
            up.add_metric([str(worker)], int(text is not None))
            for found in text_string_to_metric_families((text or b"").decode()):
                family = families.setdefault(
                    found.name, Family(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    labels = {"worker": str(worker), **sample.labels}
                    family.add_sample(sample.name, labels, sample.value)
        return families.values()


class _Telemetry:
    """Gives the program's own numbers as Prometheus families, read when asked."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterator[Family]:
        """The families."""
        seen = self._core.telemetry
        for name, text, value in (
            ("readings_committed", "Readings stored durably.", seen.readings_committed),
            (
                "commits_failed",
                "Commits that failed, whose readings were sent back.",
                seen.commits_failed,
            ),
            (
                "writes_overloaded",
                "Writes refused because too much was waiting.",
                seen.writes_overloaded,
            ),
            ("http_writes", "Requests that wrote readings.", seen.http_writes),
            (
                "http_writes_refused",
                "Requests to write that were refused.",
                seen.http_writes_refused,
            ),
            ("mqtt_messages", "MQTT messages with readings.", seen.mqtt_messages),
            (
                "mqtt_messages_refused",
                "MQTT messages that were refused.",
                seen.mqtt_messages_refused,
            ),
            ("mqtt_connects", "MQTT clients that were let in.", seen.mqtt_connects),
            (
                "mqtt_connects_refused",
                "MQTT clients that were turned away.",
                seen.mqtt_connects_refused,
            ),
            (
                "mqtt_received",
                "MQTT messages from clients, with readings or not.",
                seen.mqtt_received,
            ),
            ("mqtt_sent", "MQTT messages to subscribers.", seen.mqtt_sent),
            (
                "mqtt_dropped",
                "MQTT messages that a subscriber did not get, being too slow or away too long.",
                seen.mqtt_dropped,
            ),
        ):
            yield CounterMetricFamily(f"barograph_{name}", text, value)
        if seen.mqtt_bridge is not None:
            yield CounterMetricFamily(
                "barograph_mqtt_bridge_connections",
                "Connections made to the external MQTT broker.",
                seen.mqtt_bridge_connections,
            )
            yield GaugeMetricFamily(
                "barograph_mqtt_bridge_connected",
                "Whether messages of the external MQTT broker arrive.",
                int(not seen.mqtt_bridge),
            )
        yield self._commits()
        for name, text, value in (
            (
                "backlog_readings",
                "Readings accepted but not yet committed.",
                self._core.writer.backlog,
            ),
            ("devices", "Devices registered.", len(self._core.registry.devices())),
            ("mqtt_connections", "Open MQTT connections.", seen.mqtt_connections),
            ("mqtt_sessions", "MQTT sessions, those without a client too.", seen.mqtt_sessions),
            ("mqtt_subscriptions", "MQTT subscriptions.", seen.mqtt_subscriptions),
            ("mqtt_retained", "Retained MQTT messages.", seen.mqtt_retained),
            (
                "mqtt_queued_changes",
                "Changes of MQTT sessions that are not stored yet.",
                seen.mqtt_queued_changes,
            ),
        ):
            yield GaugeMetricFamily(f"barograph_{name}", text, value)

    def _commits(self) -> Family:
        seen = self._core.telemetry
        family = HistogramMetricFamily("barograph_commit_seconds", "How long commits took.")
        buckets: list[tuple[str, float]] = []
        count = 0
        for bound, more in zip(
            [*map(str, COMMIT_SECONDS), "+Inf"], seen.commit_buckets, strict=True
        ):
            count += more
            buckets.append((bound, count))
        family.add_metric([], buckets, seen.commit_seconds)
        return family
