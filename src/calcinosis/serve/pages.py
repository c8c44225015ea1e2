"""The pages, one method each: worklist, study, report, laboratory, files.

What reads or changes a study waits for database or disk, so it runs in a thread.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import sleep
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from calcinosis import __version__
from calcinosis.analyte import ANALYTES
from calcinosis.errors import InputError
from calcinosis.measure.mass import Point
from calcinosis.read.subject import day_of
from calcinosis.serve.access import SESSION_S, Access
from calcinosis.serve.armour import REPORT_POLICY
from calcinosis.serve.forms import as_text, read_form, uploaded, written
from calcinosis.serve.lab_entry import ENTERED, KIDNEYS, SEXES, entered, with_form
from calcinosis.serve.packed import chunks, zipped
from calcinosis.serve.prescription_entry import (
    filled_fields,
    form_of,
    further_binders,
    history_lines,
    prescription_in_file,
    prescription_of,
)
from calcinosis.serve.seed_entry import AXES, seed_of
from calcinosis.serve.views import StudyView, file_lines, moment, result_line, study_view
from calcinosis.serve.worklist import StudyEntry, UnknownStudyError, Worklist

if TYPE_CHECKING:
    from calcinosis.serve.given import LabsKind

LOG = logging.getLogger(__name__)
PER_PAGE = 50
_WRONG_TOKEN_WAIT_S = 0.5
_STATIC = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}

Answer = Callable[[Request], Awaitable[Response]]


class Pages:
    """What is shown and done at each address; see `web` for which."""

    def __init__(self, worklist: Worklist, access: Access) -> None:
        self.worklist = worklist
        self.access = access
        self.templates = Environment(
            loader=PackageLoader("calcinosis.serve"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    # Looking

    def show_worklist(self, request: Request) -> Response:
        """All studies, the latest first, in pages of fifty."""
        pages = max(1, -(-self.worklist.count() // PER_PAGE))
        asked = request.query_params.get("page", "1")
        page = min(max(1, int(asked)), pages) if asked.isdecimal() and len(asked) < 7 else 1
        shown = self.worklist.studies((page - 1) * PER_PAGE, PER_PAGE)
        views = [self._view(entry) for entry in shown]
        return self._page(request, "worklist", studies=views, page=page, pages=pages)

    def show_study(self, request: Request) -> Response:
        """One study: state, results in brief, laboratory, files."""
        return self._study_page(request)

    def show_report(self, request: Request) -> Response:
        """The report, as it was written."""
        return self._as_written(request, "report.html", "There is no report yet.")

    def show_comparison(self, request: Request) -> Response:
        """The comparison with an earlier scan, as it was written."""
        line = "This study was compared with no earlier one."
        return self._as_written(request, "follow.html", line)

    def download(self, request: Request) -> Response:
        """One file of the results."""
        name = request.path_params["name"]
        folder = self._results(request)
        if name not in {line.name for line in file_lines(folder)}:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(folder / name, filename=name)

    def download_all(self, request: Request) -> Response:
        """All files of the results in one zip."""
        folder = self._results(request)
        packed = zipped(folder)
        name = f"calcinosis-{request.path_params['study'][:8]}.zip"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks(packed), media_type="application/zip", headers=headers)

    def show_about(self, request: Request) -> Response:
        """What a CDS Hooks card links to; open to all."""
        return self._page(request, "about")

    def static(self, request: Request) -> Response:
        """Style and script of the pages."""
        name = request.path_params["name"]
        if name not in _STATIC:
            raise HTTPException(404, "There is no such page.")
        headers = {"cache-control": "no-cache"}
        return Response(self._statics[name], media_type=_STATIC[name], headers=headers)

    # Doing

    def posted(self, act: Callable[[Request, FormData], Awaitable[Response]]) -> Answer:
        """An endpoint that reads a form and acts on it only if it is one of ours."""

        async def answer(request: Request) -> Response:
            form = await read_form(request)
            if not self.access.bears_token(request):
                self._refuse_foreign(request, form)
            return await act(request, form)

        return answer

    async def enter_labs(self, request: Request, form: FormData) -> Response:
        """Take results typed into the form."""
        fields = written(form)

        def enter(study: str) -> None:
            entry = self.worklist.study(study)
            day = day_of(entry.study_date)
            text = with_form(entry.labs, entry.labs_kind, fields, day)
            self.worklist.set_labs(study, text, "json")

        return await self._change(request, enter, fields)

    async def upload_labs(self, request: Request, form: FormData) -> Response:
        """Take a CSV table, a FHIR bundle or a case file instead of what was entered before."""
        data = await uploaded(form)

        def enter(study: str) -> None:
            text = as_text(data, "a CSV table, a FHIR bundle or a case file")
            kind: LabsKind = "json" if text.lstrip()[:1] in {"{", "["} else "csv"
            self.worklist.set_labs(study, text, kind)

        return await self._change(request, enter)

    async def clear_labs(self, request: Request, _form: FormData) -> Response:
        """Take away all that was entered."""
        return await self._change(request, lambda study: self.worklist.set_labs(study, "", "csv"))

    async def enter_prescription(self, request: Request, form: FormData) -> Response:
        """Take today's prescription; an empty form takes it away."""
        fields = written(form)

        def enter(study: str) -> None:
            before = self.worklist.study(study).prescription
            self.worklist.set_prescription(study, prescription_of(fields, before))

        return await self._change(request, enter, fields)

    async def upload_prescription(self, request: Request, form: FormData) -> Response:
        """Take a file of `analyze --prescription` instead of what was entered before."""
        data = await uploaded(form)

        def enter(study: str) -> None:
            text = prescription_in_file(as_text(data, "a prescription as JSON"))
            self.worklist.set_prescription(study, text)

        return await self._change(request, enter)

    async def ask_for_mass(self, request: Request, form: FormData) -> Response:
        """Have a point measured as a mass."""
        return await self._change_seeds(request, form, self.worklist.ask_for_mass)

    async def take_back(self, request: Request, form: FormData) -> Response:
        """No longer have a point measured as a mass."""
        return await self._change_seeds(request, form, self.worklist.take_back)

    async def analyse_anew(self, request: Request, _form: FormData) -> Response:
        """Measure the study again from its images."""
        return await self._change(request, self.worklist.rerun)

    def ask_delete(self, request: Request) -> Response:
        """Ask before a study is deleted."""
        return self._page(request, "delete", study=self._known_view(request))

    async def delete(self, request: Request, _form: FormData) -> Response:
        """Delete a study."""
        await run_in_threadpool(self.worklist.delete, request.path_params["study"])
        return RedirectResponse("/", status_code=303)

    # Coming and going

    def show_login(self, request: Request) -> Response:
        """The form for the token."""
        return self._login(request)

    async def log_in(self, request: Request) -> Response:
        """Begin a session for who knows the token."""
        form = await read_form(request)
        self._refuse_foreign(request, form)
        if not self.access.is_token(str(form.get("token", "")).strip()):
            await sleep(_WRONG_TOKEN_WAIT_S)
            return self._login(request, "That is not the token.", status=403)
        answer = RedirectResponse("/", status_code=303)
        self._set_cookie(answer, self.access.session())
        return answer

    async def log_out(self, _request: Request, _form: FormData) -> Response:
        """End the session."""
        answer = RedirectResponse("/login", status_code=303)
        self._set_cookie(answer, self.access.visit())
        return answer

    # When it cannot be done

    async def show_problem(self, request: Request, error: Exception) -> Response:
        """One clear line for an HTTP error."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        line = str(error.detail) if isinstance(error, HTTPException) else ""
        words = {404: "There is no such page.", 405: "This cannot be done here."}
        if line in {"Not Found", "Method Not Allowed"}:
            line = words.get(status, line)
        if request.url.path.startswith("/cds-services"):
            return JSONResponse({"error": line}, status_code=status)
        return self._page(request, "problem", status=status, line=line)

    async def show_unknown(self, request: Request, _error: Exception) -> Response:
        """The study was deleted, or never was."""
        line = "This study is not in the worklist; it may have been deleted."
        return self._page(request, "problem", status=404, line=line)

    async def show_replaced(self, request: Request, _error: Exception) -> Response:
        """The results went while they were read."""
        line = "Newer results have just taken the place of these; open the page again."
        return self._page(request, "problem", status=404, line=line)

    async def show_unwritable(self, request: Request, error: Exception) -> Response:
        """The database did not do as asked; its message may quote what was entered."""
        LOG.error("the worklist cannot be read or changed (%s)", type(error).__name__)
        line = "The worklist cannot be read or changed just now; the disk may be full."
        return self._page(request, "problem", status=503, line=line)

    # Within

    @cached_property
    def _statics(self) -> dict[str, str]:
        report = files("calcinosis.write.report").joinpath("templates/style.css")
        ours = files("calcinosis.serve").joinpath("static")
        found = {file.name: file.read_text("utf-8") for file in ours.iterdir()}
        return found | {"style.css": report.read_text("utf-8") + found["web.css"]}

    def _page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        **content: Any,  # noqa: ANN401 - what a template takes
    ) -> Response:
        cookie = request.cookies.get(self.access.cookie, "")
        common = {
            "version": __version__,
            "inside": self.access.knows(request),
            "mark": self.access.form_mark(cookie),
            "status": status,
        }
        html = self.templates.get_template(f"{template}.html.j2").render(common | content)
        return HTMLResponse(html, status_code=status)

    def _login(self, request: Request, problem: str = "", status: int = 200) -> Response:
        cookie = request.cookies.get(self.access.cookie) or self.access.visit()
        template = self.templates.get_template("login.html.j2")
        mark = self.access.form_mark(cookie)
        html = template.render(version=__version__, inside=False, mark=mark, problem=problem)
        answer = HTMLResponse(html, status_code=status)
        self._set_cookie(answer, cookie)
        return answer

    def _set_cookie(self, answer: Response, value: str) -> None:
        answer.set_cookie(
            self.access.cookie,
            value,
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=self.access.secure,
        )

    def _refuse_foreign(self, request: Request, form: FormData) -> None:
        cookie = request.cookies.get(self.access.cookie, "")
        site = request.headers.get("sec-fetch-site", "same-origin")
        mark = str(form.get("mark", ""))
        if site not in {"same-origin", "none"} or not self.access.is_form_mark(cookie, mark):
            raise HTTPException(403, "The form is not ours or too old; open the page again.")

    async def _change_seeds(
        self, request: Request, form: FormData, change: Callable[[str, Point], None]
    ) -> Response:
        fields = written(form)
        return await self._change(request, lambda study: change(study, seed_of(fields)), fields)

    async def _change(
        self,
        request: Request,
        change: Callable[[str], None],
        filled: dict[str, str] | None = None,
    ) -> Response:
        study = request.path_params["study"]
        try:
            await run_in_threadpool(change, study)
        except UnknownStudyError:
            raise
        except InputError as error:
            line = str(error)
            return await run_in_threadpool(
                lambda: self._study_page(request, problem=line, filled=filled)
            )
        return RedirectResponse(f"/studies/{study}", status_code=303)

    def _study_page(
        self, request: Request, *, problem: str = "", filled: dict[str, str] | None = None
    ) -> Response:
        view = self._known_view(request)
        given = entered(view.entry.labs, view.entry.labs_kind)
        return self._page(
            request,
            "study",
            status=422 if problem else 200,
            study=view,
            files=file_lines(self.worklist.results_folder(view.entry.id)),
            given=given,
            results=[result_line(result) for result in given.results],
            analytes=[ANALYTES[name] for name in ENTERED],
            kidneys=KIDNEYS,
            sexes=SEXES,
            prescription_form=form_of(view.entry.prescription),
            history=history_lines(view.entry.prescription),
            binders=further_binders(view.entry.prescription),
            axes=AXES,
            filled={
                **(given.person or {}),
                **filled_fields(view.entry.prescription),
                **(filled or {}),
            },
            moment=moment,
            problem=problem,
        )

    def _as_written(self, request: Request, name: str, missing: str) -> Response:
        file = self._results(request) / name
        if not file.is_file():
            raise HTTPException(404, missing)
        headers = {"content-security-policy": REPORT_POLICY}
        return FileResponse(file, media_type="text/html", headers=headers)

    def _view(self, entry: StudyEntry) -> StudyView:
        try:
            results = self.worklist.results_folder(entry.id) if entry.has_results else None
        except UnknownStudyError:  # deleted a moment ago
            results = None
        return study_view(entry, results)

    def _known_view(self, request: Request) -> StudyView:
        return self._view(self.worklist.study(request.path_params["study"]))

    def _results(self, request: Request) -> Path:
        folder = self.worklist.results_folder(request.path_params["study"])
        if folder is None or not folder.is_dir():
            raise HTTPException(404, "There are no results yet.")
        return folder
