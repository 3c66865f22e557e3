"""A typed Python client of a Barograph server, sync and async.

from barograph.client import Client

with Client("http://localhost:8000") as client:
    client.create_device("Kitchen", key="kitchen")
    client.write("kitchen", {"temperature": 21.5})
    print(client.summary("kitchen", stats="min,max,median")["temperature"])
"""

from barograph.client.async_client import AsyncClient
from barograph.client.async_writer import AsyncWriter
from barograph.client.call import Call
from barograph.client.client import Client
from barograph.client.errors import (
    BarographClientError,
    Conflict,
    Forbidden,
    Interrupted,
    InvalidInput,
    JobFailed,
    MalformedInput,
    NoAnswer,
    NotFound,
    Problem,
    ServerError,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from barograph.client.models import (
    Asset,
    Backup,
    Command,
    CreatedToken,
    Credentials,
    Device,
    Gap,
    Job,
    Latest,
    LatestValue,
    LiveReading,
    Page,
    RegisteredDevice,
    RegisteredUser,
    Token,
    User,
)
from barograph.client.results import Readings, Summary, SummaryLine
from barograph.client.retry import NEVER, Retry
from barograph.client.writer import Writer

__all__ = [
    "NEVER",
    "Asset",
    "AsyncClient",
    "AsyncWriter",
    "Backup",
    "BarographClientError",
    "Call",
    "Client",
    "Command",
    "Conflict",
    "CreatedToken",
    "Credentials",
    "Device",
    "Forbidden",
    "Gap",
    "Interrupted",
    "InvalidInput",
    "Job",
    "JobFailed",
    "Latest",
    "LatestValue",
    "LiveReading",
    "MalformedInput",
    "NoAnswer",
    "NotFound",
    "Page",
    "Problem",
    "Readings",
    "RegisteredDevice",
    "RegisteredUser",
    "Retry",
    "ServerError",
    "StorageFull",
    "Summary",
    "SummaryLine",
    "Token",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "User",
    "Writer",
]
