"""The page in the browser, served by Gradio."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from d2ltl.deployment.page import Page
from d2ltl.errors import SettingsError, require

FIRST_PORT, PORTS = 7860, 100  # the port that Gradio's users know, and how many are tried from there on
MOST_BYTES = 50 * 2**20  # of an uploaded photograph
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
NOTHING_FROM_ELSEWHERE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:"
)  # the browser itself refuses requests to another host

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_port(host: str, port: int | None) -> Iterator[Callable[[Page], None]]:
    """Yield a function that serves a page until Ctrl-C; what can fail, fails before a network is loaded.

    An uploaded photograph is deleted after its answer, and all temporary files at the end.

    Parameters
    ----------
    host : str
        Address of this machine; ``127.0.0.1`` can be reached from this machine only.
    port : int, optional
        Port; by default a free one from 7860 on.

    Raises
    ------
    SettingsError
        If the port is in use, Python is too old, or the extra ``app`` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="d2ltl-app-") as temporary:
        gradio = _load_gradio(temporary)
        with _bind(host, port) as bound:
            yield lambda page: _serve(gradio, page, bound)


def _load_gradio(temporary: str) -> Any:
    """Return the module gradio, which then sends nothing anywhere, and writes to a temporary folder."""
    if sys.version_info < (3, 10):
        raise SettingsError(
            f"The page needs Python 3.10 or later, as Gradio does; this is Python {sys.version.split()[0]}. On it, "
            "python -m d2ltl predict answers."
        )
    os.environ.update(QUIET, GRADIO_TEMP_DIR=temporary)
    return require("gradio", "app")


def _bind(host: str, port: int | None) -> socket.socket:
    """Return a socket that is bound to a port, or by default to the first free one from 7860 on."""
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]:
        try:
            return socket.create_server((host, candidate))
        except (OSError, OverflowError) as error:
            fault = error
    ports = f"port {port}" if port is not None else f"the ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}"
    raise SettingsError(f"The page cannot be at {ports} of {host} ({fault}). Choose others: --port, --host.")


def _serve(gradio: Any, page: Page, bound: socket.socket) -> None:
    import fastapi  # Gradio needs it and uvicorn
    import uvicorn

    host, port = bound.getsockname()[:2]
    server = fastapi.FastAPI(openapi_url=None)
    server.middleware("http")(_add_security_policy)
    gradio.mount_gradio_app(
        server, _layout(gradio, page), path="/", server_name=host, server_port=port,
        max_file_size=MOST_BYTES, footer_links=[], run_history=False, ssr_mode=False, theme=_theme(gradio),
    )  # fmt: skip
    shown = socket.gethostname() if host == "0.0.0.0" else host  # the name under which others find this machine
    logger.info("The page is at http://%s:%d/ (Ctrl-C ends it)", shown, port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the temporary files are deleted then, too
    settings = uvicorn.Config(server, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(settings).run(sockets=[bound])


def _layout(gradio: Any, page: Page) -> Any:
    with gradio.Blocks(title=page.title, analytics_enabled=False) as blocks:
        gradio.HTML(page.introduction(), apply_default_css=False)
        photograph = gradio.File(label="Photograph", height=160)
        answer = gradio.HTML(apply_default_css=False, min_height=80)

        def ask(file: str) -> tuple[None, str]:
            try:
                return None, page.answer(file)
            finally:
                Path(file).unlink(missing_ok=True)

        photograph.upload(ask, photograph, [photograph, answer], show_progress_on=answer, api_visibility="private")
    return blocks


def _theme(gradio: Any) -> Any:
    """Return a theme with fonts of the system; Gradio's own themes name fonts to load."""
    font, mono = (
        [gradio.themes.Font(name) for name in names]
        for names in (("system-ui", "sans-serif"), ("ui-monospace", "monospace"))
    )
    return gradio.themes.Default(font=font, font_mono=mono)


async def _add_security_policy(request: Any, answer: Callable[[Any], Awaitable[Any]]) -> Any:
    response = await answer(request)
    response.headers["Content-Security-Policy"] = NOTHING_FROM_ELSEWHERE
    return response
