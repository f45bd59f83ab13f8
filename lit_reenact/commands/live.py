"""``lit-reenact live``: a camera drives the target, and a page shows the generated frames."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import Commands, checkpoint_file, device_of
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting

if TYPE_CHECKING:
    from lit_reenact.live.page import LivePage
    from lit_reenact.live.recording import Recording
    from lit_reenact.live.session import LiveSession
    from lit_reenact.provenance import Record


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "live",
        help="drive the target with a camera and see it at once",
        description="Drive the target with a camera. For the first seconds look at the camera with a resting face: it is learned "
        "then. A page on this computer shows the generated frames, their rate and their latency. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--input", default="0", metavar="I", help="number of a camera, or a video that is played like one (default: %(default)s)"
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="T", help="track of the target, the one that the checkpoint was trained on"
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="C", help="checkpoint of `lit-reenact fit`, or its folder"
    )
    parser.add_argument(
        "--source-track", type=Path, metavar="S", help="track of the driver; with it their face need not be learned"
    )
    parser.add_argument(
        "--calibration",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="duration of learning the driver's face (default: %(default)s)",
    )
    parser.add_argument("--record", type=Path, metavar="OUT.mp4", help="also write the generated frames to a signed video")
    parser.add_argument("--port", type=int, default=8765, help="port of the page; 0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--no-label", action="store_true", help="leave the words `AI-generated` out of the frames; the page always shows them"
    )
    parser.add_argument("--no-wait", action="store_true", help="generate every frame of a video, as fast as possible")
    parser.add_argument("--device", default="auto", help="device of the network: auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="number format of the network (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from lit_reenact.live.camera import open_input
    from lit_reenact.live.page import LivePage
    from lit_reenact.live.puppet import Puppet
    from lit_reenact.live.session import LiveSession
    from lit_reenact.synthesis.inference import load_generator
    from lit_reenact.tracking.trackfile import load_track

    if not 0 < arguments.calibration <= 60:
        raise ReenactError(f"--calibration {arguments.calibration:g}: it takes more than 0 and at most 60 seconds")
    checkpoint = checkpoint_file(arguments.checkpoint)
    _refuse_lost_inputs(arguments, checkpoint)
    target = load_track(arguments.target)
    driver = load_track(arguments.source_track) if arguments.source_track else None
    generator = load_generator(checkpoint, device_of(arguments.device), target, arguments.precision)
    source = open_input(arguments.input, wait=not arguments.no_wait)
    puppet = Puppet(target, generator)
    session = LiveSession(source, target, puppet, arguments.calibration, driver, every_frame=arguments.no_wait)
    with LivePage(arguments.port, session.status) as page, _recording(arguments.record, session, checkpoint) as recording:
        print(f"Open {page.address} in a browser. Ctrl-C ends it.", flush=True)
        failure = _display(session, page, recording, label=not arguments.no_label)
    print(session.readout.summary())
    if recording is not None:
        print(f"Wrote {arguments.record}, which says and is signed that it is AI-generated.")
    if failure is not None:
        raise failure
    return 0


def _display(session: LiveSession, page: LivePage, recording: Recording | None, label: bool) -> ReenactError | None:
    """Show and record every frame of the session; return the error that ended it after the first generated frame."""
    from lit_reenact.synthesis import add_label

    try:
        for frame in session.run():
            picture = add_label(frame.picture) if frame.generated and label else frame.picture
            page.show(picture)
            if recording is not None and frame.generated:
                recording.write(picture, frame.time)
    except KeyboardInterrupt:  # the usual end
        pass
    except ReenactError as error:
        if not session.readout.generated:
            raise
        return error  # what was recorded until then is kept
    return None


@contextmanager
def _recording(path: Path | None, session: LiveSession, checkpoint: Path) -> Iterator[Recording | None]:
    """Yield a recording that becomes a signed video at ``path``; None without a path."""
    from lit_reenact.live.recording import Recording
    from lit_reenact.provenance import open_generated_video

    if path is None:
        yield None
        return
    with open_generated_video(path, session.source.fps, _record(session, checkpoint), preset="veryfast") as writer:
        yield Recording(writer)


def _refuse_lost_inputs(arguments: argparse.Namespace, checkpoint: Path) -> None:
    """Refuse to record over a file that the command reads."""
    from lit_reenact.tracking.trackfile import track_files

    outputs = [] if arguments.record is None else [arguments.record]
    tracks = [path for path in (arguments.target, arguments.source_track) if path is not None]
    video = None if arguments.input.isdecimal() else Path(arguments.input)
    inputs = [video, checkpoint, *(file for path in tracks for file in track_files(path))]
    refuse_overwriting(outputs, inputs, option="--record")


def _record(session: LiveSession, checkpoint: Path) -> Record:
    """Describe the origin of the recording. A camera leaves no file to name."""
    from lit_reenact.core.files import sha256_of
    from lit_reenact.provenance import Ingredient, Model, Record

    source, target, driver = session.source, session.target, session.driver
    ingredients = [Ingredient.of(target, "target")]
    if source.file is not None:
        ingredients.append(Ingredient("source", source.file.name, sha256_of(source.file)))
    settings = {"live": {"input": source.name, "driver": driver.info.source if driver else "learned from the first pictures"}}
    return Record(
        f"{target.info.source} reenacted live by {source.name}",
        tuple(ingredients),
        Model.of(checkpoint),
        {**settings, "policy": "full"},
    )
