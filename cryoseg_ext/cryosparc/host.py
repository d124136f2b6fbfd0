"""CryoSPARC as the host of a picking job."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from cryoseg_ext.cryosparc.events import averages_png, overlay_png, quality_table, summary_png, write_picture
from cryoseg_ext.cryosparc.job import OUTPUT
from cryoseg_ext.formats.names import stem_of
from cryoseg_ext.formats.particles import PickedExposure
from cryoseg_ext.job.advice import advise, cryosparc_step
from cryoseg_ext.job.host import Host, ResultFiles
from cryoseg_ext.job.reports import report_of
from cryoseg_ext.progress import write
from cryoseg_ext.report.preview import stretch
from cryoseg_ext.words import counted, printable

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.report.content import Overlay

_LOGGED_OVERLAYS, _LOGGED_SKIPPED = 12, 50


class CryosparcHost(Host):
    """An External job of CryoSPARC; what goes into its event log is shown on the terminal too.

    Parameters
    ----------
    job : ExternalJob
        The running job.
    """

    def __init__(self, job: ExternalJob) -> None:
        super().__init__(job.folder)
        self.title = job.uid
        self._job = job
        self._n_picks: dict[str, int] = {}
        self._n_skipped = self._n_done = self._n_waiting = 0
        self._parts_shown: set[int] = set()

    def files(self, micrograph: ListedMicrograph) -> ResultFiles:
        """Return files named by the uid of the exposure, which keeps micrographs of the same name apart."""
        uid, candidates = _exposure(micrograph).uid, self.directory / "candidates"
        mask = self.directory / f"masks/{uid}_{stem_of(micrograph.name)}.mrc"
        return ResultFiles(candidates / f"{uid}.star", candidates / f"{uid}_preview.npz", mask)

    def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
        """Count the picks: particles are saved all together, in `write_outputs`."""
        self._n_picks[micrograph.name] = len(picks)

    def forget(self, micrograph: ListedMicrograph) -> None:
        """Count no picks of an earlier result."""
        self._n_picks.pop(micrograph.name, None)

    def hold(self) -> AbstractContextManager[None]:
        """Do nothing: the whole run of the job holds the folder."""
        return nullcontext()

    def show(self, overlay: Overlay) -> None:
        """Add the picture to the event log, of 12 evenly spaced micrographs of a run at most."""
        part = stretch(self._n_done, self._n_waiting, _LOGGED_OVERLAYS)
        if part not in self._parts_shown:
            self._parts_shown.add(part)
            name = overlay.name.rpartition("/")[-1]
            self._job.log_picture(overlay_png(overlay), f"{name}: {counted(len(overlay.picks), 'pick')}")

    def write_outputs(self, result: JobResult) -> None:
        """Save the particles, and show what was found in the event log and on the tile."""
        micrographs = result.listed.micrographs
        picked = [PickedExposure(_exposure(one), result.picks[one.name]) for one in micrographs]
        self._job.save_particles(picked, result.options.min_distance_A)
        report = report_of(result, self.title)
        if report.overlays:
            # Drawn anew each time: with other settings, the picks on it are others.
            tile = write_picture(self.directory / "overlay.png", overlay_png(report.overlays[0]))
            self._job.set_images(tile, OUTPUT)
        histograms = summary_png(report)
        self._job.log_picture(histograms, "Picks per micrograph, and scores of all candidates")
        if report.averages:
            self._job.log_picture(averages_png(report), "Class averages of a sample of the picks")
        if result.n_picks:
            advice = advise(result)
            step = cryosparc_step(advice.boxes, "the exposures", f"{self._job.uid}:{OUTPUT}")
            self._job.log_in_place("advice", "\n".join([*advice.lines, step]))
        self._job.log_in_place("quality", quality_table(result, self.directory))
        if not result.n_picks:
            best = max(float(one.candidates.score.max(initial=0)) for one in result.finished.values())
            sentence = (
                f"No particle has a score of {result.threshold:g} or more (the best has {best:.2f}): look at "
                "the overlays, check the particle diameter, or give a lower threshold"
            )
            self._job.log(sentence, level="warning")
        particles = counted(result.n_picks, "particle")
        write(f"{particles} on {counted(len(picked), 'micrograph')} saved as {self._job.uid}:{OUTPUT}")

    def check(self) -> None:
        """Stop when somebody ended the job in CryoSPARC."""
        self._job.raise_if_killed()

    def say(self, text: str) -> None:
        """Write to the event log."""
        text = printable(text)
        write(text)
        self._job.log(text)

    def warn(self, text: str) -> None:
        """Write to the event log as a warning; of skipped micrographs, the first 50."""
        text = printable(text)
        write(text, err=True)
        # The job says so of each micrograph that it leaves out.
        is_skipped = text.startswith("Skipped: ")
        self._n_skipped += is_skipped
        if not is_skipped or self._n_skipped <= _LOGGED_SKIPPED:
            self._job.log(text, level="warning")
        elif self._n_skipped == _LOGGED_SKIPPED + 1:
            self._job.log("More micrographs are skipped: review.html says which and why", level="warning")

    def start(self, total: int) -> None:
        """Begin a run."""
        self._n_done, self._n_waiting = 0, total
        self._parts_shown.clear()

    def note_done(self, micrograph: ListedMicrograph, n_picks: int | None) -> None:  # noqa: ARG002 - a host's form
        """Count what is done."""
        self._n_done += 1

    def waiting(self, text: str) -> None:
        """Show that the job waits for exposures."""
        self._job.log_progress(text)


def _exposure(micrograph: ListedMicrograph) -> Exposure:
    assert micrograph.exposure is not None
    return micrograph.exposure
