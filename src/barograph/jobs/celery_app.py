"""Celery as Barograph uses it: one queue of announcements that there is a job to take.

A message carries nothing but that. The job is a row in the catalog with a lease, so a message that
is lost, repeated or late does no harm: whoever gets one takes the oldest waiting job, if there is
one, and what has lost its message is found by a worker's next look at the catalog.
"""

from urllib.parse import urlsplit

from barograph.domain.errors import ConfigurationError

try:
    from celery import Celery
except ModuleNotFoundError:
    raise ConfigurationError(
        "celery_broker is set, but Celery is not installed: pip install 'barograph[celery,redis]'"
    ) from None

TASK = "barograph.take_a_job"

_EXAMPLES = "redis://localhost:6379/0 or amqp://user:password@localhost:5672/"
_CONNECT_SECONDS_MAX = 4
_GRACE_SECONDS = 30
"""How long after its time limit a job may still hold its process."""


def make_app(broker: str, installation: str, job_seconds_max: float) -> Celery:
    """Celery on that broker. `installation` keeps several Barographs on one broker apart.

    Raises `ConfigurationError` for a broker that cannot be used.
    """
    options = _transport_options(broker, installation, job_seconds_max)
    app = Celery("barograph", broker=broker, set_as_current=False)
    app.conf.update(
        task_default_queue=f"barograph.{installation}",
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # A message leaves the queue when its job has ended, not when it has begun.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # The service ends a job in time. This ends a process that does not listen to it.
        task_time_limit=job_seconds_max + _GRACE_SECONDS,
        broker_connection_timeout=_CONNECT_SECONDS_MAX,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A job goes on while its broker is away, for its lease is in the catalog.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_transport_options=options,
    )
    return app


def _transport_options(broker: str, installation: str, job_seconds_max: float) -> dict[str, object]:
    try:
        scheme = urlsplit(broker).scheme
    except ValueError:
        scheme = ""
    if scheme in {"amqp", "amqps"}:
        return {"confirm_publish": True}
    if scheme not in {"redis", "rediss"}:
        raise ConfigurationError(f"celery_broker: give the URL of Redis or RabbitMQ, {_EXAMPLES}")
    try:
        import redis  # noqa: PLC0415, F401  # asked for only where it is used
    except ModuleNotFoundError:
        raise ConfigurationError(
            "celery_broker names Redis, but its client is not installed: "
            "pip install 'barograph[celery,redis]'"
        ) from None
    return {
        "global_keyprefix": f"barograph.{installation}.",
        # Redis gives a message again to somebody else after this time. It must not be earlier than
        # the job's end, lest messages without a job go round.
        "visibility_timeout": job_seconds_max + 2 * _GRACE_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS_MAX,
        "socket_timeout": 3 * _CONNECT_SECONDS_MAX,
        "socket_keepalive": True,
    }
