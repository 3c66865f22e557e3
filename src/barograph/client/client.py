"""The client for programs that wait for their answers."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import SystemRandom
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast, overload

import httpx

from barograph.client import accounts, carrying, devices, questions, reports
from barograph.client.bodies import ROWS_MAX, Compression
from barograph.client.call import Call, failed
from barograph.client.errors import (
    BarographClientError,
    Interrupted,
    JobFailed,
    NoAnswer,
    ServerError,
)
from barograph.client.events import EventReader
from barograph.client.looks import Looks
from barograph.client.models import Asset, Command, Device, Gap, Job, LiveReading, Page, User
from barograph.client.moments import Moment
from barograph.client.questions import Format, Names, Order
from barograph.client.results import Readings, Row
from barograph.client.retry import Retry
from barograph.client.writer import Writer
from barograph.client.writes import Given, Pending, columns_of, write_call

P = ParamSpec("P")
T = TypeVar("T")

PAGE_ITEMS = 100
PAGE_ROWS = 10_000

_chance = SystemRandom().random


class _Runs(Generic[P, T]):
    """A method that runs the call which `build` makes of the same arguments."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, T]: ...
    def __get__(self, client: "Client | None", owner: type) -> Self | Callable[P, T]:
        if client is None:
            return self
        build = self._build

        @functools.wraps(build)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.run(build(*args, **kwargs))

        return cast("Callable[P, T]", run)


class Client:
    """Talks to a Barograph server. Thread-safe; close it, or use it in a `with`.

    Devices are named by id or key. Methods raise `BarographClientError`s.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = carrying.TIMEOUT_SECONDS,
        retry: Retry | None = None,
        rows_max: int = ROWS_MAX,
        compression: Compression | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Where the server is and who asks; else the environment's BAROGRAPH_URL and _TOKEN say.

        `token` is a user's API token, a device's token or an access token; on the server's own
        machine none may be needed. `timeout` is in seconds. Writes go in bodies of `rows_max` rows.
        """
        self.retry = retry or Retry()
        self.rows_max = rows_max
        self.compression = compression
        self._http = httpx.Client(**carrying.settings(url, token, timeout), transport=transport)

    @property
    def url(self) -> str:
        """Where the server is."""
        return str(self._http.base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, call: Call[T]) -> T:
        """Send a call, again where that is right, and read its answer."""
        attempt = 0
        while True:
            attempt += 1
            retry_after = None
            try:
                reply = carrying.reply(self._http.request(**carrying.request(call)))
            except httpx.HTTPError as error:
                failure: BarographClientError = carrying.no_answer(error, self._http.base_url)
            else:
                try:
                    return call.result(reply, again=attempt > 1)
                except ServerError as error:
                    if not self.retry.wants(error.status):
                        raise
                    failure, retry_after = error, error.retry_after
            pause = self.retry.pause(attempt, _chance(), retry_after)
            if pause is None or not call.idempotent:
                raise failure
            time.sleep(pause)  # the pause between two attempts is what was asked for

    create_user = _Runs(accounts.create_user)
    list_users = _Runs(accounts.list_users)
    me = _Runs(accounts.me)
    get_user = _Runs(accounts.get_user)
    change_user = _Runs(accounts.change_user)
    delete_user = _Runs(accounts.delete_user)
    sign_in = _Runs(accounts.sign_in)
    refresh = _Runs(accounts.refresh)
    sign_out = _Runs(accounts.sign_out)
    list_tokens = _Runs(accounts.list_tokens)
    create_token = _Runs(accounts.create_token)
    revoke_token = _Runs(accounts.revoke_token)
    create_device = _Runs(devices.create_device)
    list_devices = _Runs(devices.list_devices)
    get_device = _Runs(devices.get_device)
    change_device = _Runs(devices.change_device)
    delete_device = _Runs(devices.delete_device)
    rotate_device_token = _Runs(devices.rotate_device_token)
    get_command = _Runs(devices.get_command)
    list_commands = _Runs(devices.list_commands)
    cancel_command = _Runs(devices.cancel_command)
    create_asset = _Runs(devices.create_asset)
    list_assets = _Runs(devices.list_assets)
    get_asset = _Runs(devices.get_asset)
    change_asset = _Runs(devices.change_asset)
    delete_asset = _Runs(devices.delete_asset)
    read_page = _Runs(questions.read_page)
    delete_readings = _Runs(questions.delete_readings)
    latest = _Runs(questions.latest)
    latest_of_all = _Runs(questions.latest_of_all)
    summary = _Runs(questions.summary)
    user_summary = _Runs(questions.user_summary)
    ask = _Runs(questions.ask)
    get_job = _Runs(questions.get_job)
    list_jobs = _Runs(questions.list_jobs)
    cancel_job = _Runs(questions.cancel_job)
    make_report = _Runs(reports.make_report)
    read_report = _Runs(reports.read_report)
    ready = _Runs(questions.ready)
    back_up = _Runs(questions.back_up)

    # Lists, whole

    def users(self, search: str = "") -> Iterator[User]:
        """All users; for administrators."""
        return self._items(functools.partial(accounts.list_users, search))

    def devices(
        self, search: str = "", *, user_id: int | None = None, asset_id: int | None = None
    ) -> Iterator[Device]:
        """All one's devices; an administrator's are all there are."""
        return self._items(
            functools.partial(devices.list_devices, search, user_id=user_id, asset_id=asset_id)
        )

    def assets(self, search: str = "", *, kind: str | None = None) -> Iterator[Asset]:
        """The inventory."""
        return self._items(functools.partial(devices.list_assets, search, kind=kind))

    def _items(self, page: Callable[..., Call[Page[T]]]) -> Iterator[T]:
        offset = 0
        while True:
            found = self.run(page(limit=PAGE_ITEMS, offset=offset))
            yield from found.items
            offset += PAGE_ITEMS
            if offset >= found.total:
                return

    # Readings

    def write(self, device: int | str, readings: Given) -> int:
        """Store readings; returns when they are on stable storage, with how many there were.

        Give one reading `{"temperature": 21.5}`, rows of them, or columns
        `{"ts": [...], "temperature": [...]}`. A reading without `ts` is of now. Many go in several
        bodies, in order: after an error those before it are stored, and writing all of them again
        is right. Raises `ValueError`, before anything is sent, for what cannot be a reading.
        """
        accepted = 0
        pending = Pending(columns_of(readings), self.rows_max)
        for part in pending:
            try:
                accepted += self.run(write_call(device, part, self.compression))
            except ServerError as error:
                pending.refused(part, error)
        return accepted

    def writer(
        self, device: int | str, *, rows_max: int | None = None, seconds: float = 1.0
    ) -> Writer:
        """A context manager that gathers readings and writes them by size and by time."""
        write = functools.partial(self.write, device)
        return Writer(write, rows_max=rows_max or self.rows_max, seconds=seconds)

    def rows(
        self,
        device: int | str,
        *,
        metrics: Names = (),
        start: Moment | None = None,
        end: Moment | None = None,
        order: Order = "asc",
        page_rows: int = PAGE_ROWS,
    ) -> Iterator[Row]:
        """A device's readings, a row for each time, page by page in bounded memory."""
        cursor = None
        while True:
            page = self.read_page(
                device,
                metrics=metrics,
                start=start,
                end=end,
                order=order,
                limit=page_rows,
                cursor=cursor,
            )
            yield from page.data
            cursor = page.next
            if cursor is None:
                return

    def read(
        self,
        device: int | str,
        *,
        metrics: Names = (),
        start: Moment | None = None,
        end: Moment | None = None,
        order: Order = "asc",
        limit: int | None = None,
    ) -> Readings:
        """A device's readings, all in memory; at most `limit` rows."""
        if limit is not None:
            page = self.read_page(
                device, metrics=metrics, start=start, end=end, order=order, limit=limit
            )
            return Readings(device, page.data)
        rows = self.rows(device, metrics=metrics, start=start, end=end, order=order)
        return Readings(device, rows)

    @contextmanager
    def export(
        self,
        device: int | str,
        form: Format,
        *,
        metrics: Names = (),
        start: Moment | None = None,
        end: Moment | None = None,
        order: Order = "asc",
    ) -> Iterator[Iterator[bytes]]:
        """A device's readings as a file's pieces, to be read within the `with`.

        Raises `Interrupted` where they break off.
        """
        call = questions.export(device, form, metrics=metrics, start=start, end=end, order=order)
        try:
            with self._http.stream(**carrying.request(call)) as response:
                if not response.is_success:
                    response.read()
                    raise failed(carrying.reply(response))
                yield _pieces(response)
        except httpx.HTTPError as error:
            raise carrying.no_answer(error, self._http.base_url) from None

    def live(self, devices: Names = (), metrics: Names = ()) -> Iterator[LiveReading | Gap]:
        """Readings as they are committed, for ever. A broken stream is taken up where it broke.

        A `Gap` says that readings were not told. Close the iterator to stop.
        """
        reader = EventReader()
        attempt = 0
        while True:
            reader.begin()
            failure: BarographClientError
            retry_after = None
            request = carrying.live_request(
                questions.names(devices), questions.names(metrics), reader.last_id
            )
            try:
                with self._http.stream(**request) as response:
                    if not response.is_success:
                        response.read()
                        raise failed(carrying.reply(response))
                    for line in response.iter_lines():
                        attempt = 0
                        event = reader.feed(line)
                        if event is not None:
                            yield event
                    failure = NoAnswer("the server ended the live stream")
            except httpx.HTTPError as error:
                failure = carrying.no_answer(error, self._http.base_url)
            except ServerError as error:
                if not self.retry.wants(error.status):
                    raise
                failure, retry_after = error, error.retry_after
            attempt += 1
            pause = self.retry.pause(attempt, _chance(), retry_after)
            if pause is None:
                raise failure
            time.sleep(pause)  # the pause between two attempts is what was asked for

    # Waiting

    def send_command(
        self,
        device: int | str,
        command: Any,
        *,
        expires_in: int | None = None,
        wait: float | None = None,
    ) -> Command:
        """Tell the device something: any JSON value. It waits for the device `expires_in` seconds.

        With `wait` it returns once the device has replied, or the command has expired or was called
        off; `TimeoutError` after so many seconds, with the command still standing.
        """
        sent = self.run(devices.send_command(device, command, expires_in=expires_in))
        if wait is None:
            return sent
        looks = Looks(wait)
        while not sent.ended:
            time.sleep(looks.pause(f"command {sent.id} is {sent.status}"))
            sent = self.get_command(device, sent.id)
        return sent

    def wait(self, job_id: int, timeout: float | None = None) -> Job:
        """The job when it is done; raises `JobFailed`, and `TimeoutError` after `timeout` seconds."""
        looks = Looks(timeout)
        job = self.get_job(job_id)
        while not job.ended:
            time.sleep(looks.pause(f"job {job_id} is {job.status}"))
            job = self.get_job(job_id)
        return done(job)


def done(job: Job) -> Job:
    """The ended job, if it is done; raises `JobFailed`."""
    if job.status != "done":
        raise JobFailed(f"job {job.id} {job.status}" + (f": {job.error}" if job.error else ""))
    return job


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx.HTTPError as error:
        raise Interrupted(f"the answer broke off: {str(error) or type(error).__name__}") from None
