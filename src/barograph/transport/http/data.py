"""`/api/devices/{device}/data`: a device's readings, read as a stream or removed."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from barograph.codecs.rows import encode_csv, encode_json, encode_ndjson
from barograph.domain.errors import InvalidInput
from barograph.services.core import Core
from barograph.services.readings import ROWS_MAX, Selection
from barograph.transport.http.accepted import accepted
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.query import END_TIME, START_TIME, TZ, answer, parameter, query
from barograph.transport.http.schemas import DeviceRef, Time
from barograph.transport.http.users import Asker

_MEDIA_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
_FORMS = {media_type: form for form, media_type in _MEDIA_TYPES.items()}
_FORMS |= {"*/*": "json", "application/*": "json", "text/*": "csv"}
_FILE_PIECE_BYTES = 256 * 1024
_WHOLE_BYTES_MAX = 64 * 1024

_METRIC = parameter(
    "metric",
    "Names, separated by commas, in which `*` stands for any characters; by default all.",
    examples=["temperature"],
)
_PARAMETERS = [
    _METRIC,
    START_TIME,
    END_TIME,
    TZ,
    parameter("order", "By time, the oldest or the newest first.", enum=["asc", "desc"]),
    parameter(
        "limit",
        "At most so many rows; without it, all.",
        type="integer",
        minimum=1,
        maximum=ROWS_MAX,
    ),
    parameter("cursor", "Go on after the page before: the value of its `next`."),
    parameter(
        "format", "The answer's format; by default what `Accept` names.", enum=[*_MEDIA_TYPES]
    ),
]


class DataRow(BaseModel):
    """The device's metrics at one time: their values stand beside `ts`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | str]

    ts: Time


class Data(BaseModel):
    """A device's readings."""

    device_id: int
    data: list[DataRow]
    next: str | None = Field(
        description="The cursor of the next page; null on the last one and without a limit."
    )


class Deleted(BaseModel):
    """What was removed."""

    deleted: int = Field(description="How many readings.")


def router(core: Core) -> APIRouter:
    """Reading and removing readings."""
    routes = APIRouter(tags=["readings"])

    def json_pieces(selection: Selection) -> Iterator[bytes]:
        excerpt = core.readings.read(selection)
        yield b'{"device_id":%d,"data":' % selection.device.id
        yield from encode_json(excerpt, selection.series)
        yield b',"next":' + msgspec.json.encode(excerpt.cursor) + b"}"

    def pieces(form: str, selection: Selection) -> Iterator[bytes]:
        match form:
            case "ndjson":
                return encode_ndjson(core.readings.read(selection), selection.series)
            case "csv":
                return encode_csv(core.readings.read(selection), selection.series)
            case "parquet":
                return parquet_pieces(selection)
            case _:
                return json_pieces(selection)

    def parquet_pieces(selection: Selection) -> Iterator[bytes]:
        with TemporaryDirectory(prefix="barograph-") as scratch:
            path = Path(scratch) / "readings.parquet"
            core.readings.export_parquet(selection, path)
            with path.open("rb") as file:
                while piece := file.read(_FILE_PIECE_BYTES):
                    yield piece

    @routes.get(
        "/api/devices/{device}/data",
        response_model=Data,
        responses={
            **responses(401, 403, 404, 422, 507),
            200: {
                "description": "The readings; a row for each time.",
                "content": {
                    media_type: {"schema": {"type": "string", "format": "binary"}}
                    for form, media_type in _MEDIA_TYPES.items()
                    if form != "json"
                },
            },
        },
        openapi_extra={"parameters": _PARAMETERS},
        summary="Read readings",
    )
    def read_readings(request: Request, device: DeviceRef, asker: Asker) -> Response:
        """A device's readings in order of time, streamed.

        Formats: JSON, NDJSON, CSV with a header row, and Parquet.
        """
        given = query(request)
        selection = core.readings.select(asker, device, given)
        form = _format(given.pop("format", ""), request.headers.get("accept", ""))
        headers = {"Vary": "Accept"}
        if form in {"csv", "parquet"}:
            name = f"device-{selection.device.id}.{form}"
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return streamed(pieces(form, selection), _MEDIA_TYPES[form], headers)

    @routes.delete(
        "/api/devices/{device}/data",
        response_model=Deleted,
        responses=responses(401, 403, 404, 422, 507),
        openapi_extra={"parameters": [_METRIC, START_TIME, END_TIME, TZ]},
        summary="Remove readings",
    )
    def delete_readings(request: Request, device: DeviceRef, asker: Asker) -> Response:
        """Remove a device's readings, all or those of some metrics or a period, for good.

        A parameter that is empty or not known is refused, and nothing removed.
        """
        return answer({"deleted": core.readings.delete(asker, device, query(request))})

    return routes


def _format(chosen: object, accept: str) -> str:
    if chosen:
        if chosen not in _MEDIA_TYPES:
            raise InvalidInput.of("format", f"use one of {', '.join(_MEDIA_TYPES)}")
        return str(chosen)
    best, form = 0.0, "json"
    for media_type, quality in accepted(accept).items():
        wanted = _FORMS.get(media_type)
        if wanted is not None and quality > best:
            best, form = quality, wanted
    return form


def streamed(pieces: Iterator[bytes], media_type: str, headers: dict[str, str]) -> Response:
    """The pieces as they are made, or in one where they are small.

    The first ones are made before the answer begins: an error that shows as soon as the store is
    asked still gets its proper status.
    """
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size > _WHOLE_BYTES_MAX:
            return StreamingResponse(chain(begun, pieces), 200, headers, media_type)
    return Response(b"".join(begun), 200, headers, media_type)
