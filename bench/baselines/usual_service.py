"""The service as it is usually written: FastAPI, a pydantic model, a SQLAlchemy session per request.

As a careful developer would have it: SQLite's write-ahead log, synced on commit as Barograph is,
indices, prepared schema, the token looked up by its index, one transaction per request.
"""

import os
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import ForeignKey, Index, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine(f"sqlite:///{os.environ['USUAL_SERVICE_FILE']}", pool_size=40)
sessions = sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine, "connect")
def _tune(connection, _record):
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")


class Base(DeclarativeBase):
    pass


class Device(Base):
    __tablename__ = "devices"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)


class Reading(Base):
    __tablename__ = "readings"
    __table_args__ = (Index("readings_of_device", "device_id", "metric", "time"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id"))
    metric: Mapped[str]
    time: Mapped[datetime]
    value: Mapped[float]


Base.metadata.create_all(engine)
with sessions.begin() as setup:
    if setup.get(Device, 1) is None:
        setup.add(Device(id=1, token="benchmark"))


class ReadingIn(BaseModel):
    temperature: float
    ts: datetime | None = None


class Accepted(BaseModel):
    accepted: int


def session():
    with sessions() as opened:
        yield opened


app = FastAPI()


@app.post("/api/devices/{device_id}/data", status_code=201)
def store(
    device_id: int,
    reading: ReadingIn,
    db: Annotated[Session, Depends(session)],
    authorization: Annotated[str, Header()],
) -> Accepted:
    token = authorization.removeprefix("Bearer ")
    device = db.scalar(select(Device).where(Device.token == token))
    if device is None or device.id != device_id:
        raise HTTPException(401, "a device's token is needed")
    db.add(
        Reading(
            device_id=device.id,
            metric="temperature",
            time=reading.ts or datetime.now(UTC),
            value=reading.temperature,
        )
    )
    db.commit()
    return Accepted(accepted=1)
