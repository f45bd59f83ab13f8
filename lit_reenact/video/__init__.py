"""Video files in and out: frames, timelines, sound and colours.

``probe`` describes a file, ``iterate_frames`` reads any file once in order (PyAV), ``FrameReader`` reads working clips at random
(decord), and ``VideoWriter`` writes H.264 (PyAV).
"""

from __future__ import annotations

from lit_reenact.video.frames import Frame as Frame
from lit_reenact.video.frames import iterate_frames as iterate_frames
from lit_reenact.video.frames import resize_frames as resize_frames
from lit_reenact.video.info import VideoInfo as VideoInfo
from lit_reenact.video.info import probe as probe
from lit_reenact.video.info import read_tags as read_tags
from lit_reenact.video.reader import FrameReader as FrameReader
from lit_reenact.video.writer import VideoWriter as VideoWriter
