"""Which file is kept, which is a duplicate, which conflicts: decided over journal lines, whatever their order.

Precedence: quarantined, duplicate, ingested. Of equal files the one already ingested is kept, then the first by path
without its suffix. SQLite sorts, on disk, so that memory does not grow with the delivery. Files that one UID names and
whose pixels differ from those of the first of them conflict.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from radia_pipeline.dicom.journal import Journal

KEPT, SAME_BYTES, SAME_PIXELS, CONFLICT = "kept", "same_bytes", "same_pixels", "conflict"
_TABLE = """
create temp table if not exists decided (
    raw blob primary key, path text, outcome text, image_id text, kept_path text, kept_image_id text, picture text
) without rowid
"""
_DECIDE = f"""
insert into temp.decided (raw, path, outcome, image_id, kept_path, kept_image_id)
with ranked as (
    select raw, path, image_id, pixel_sha256, file_sha256, standing.path is null as is_new, bare(path) as bare
    from temp.present join files using (path) left join temp.standing using (path) where reason is null
), of_uid as (
    select *, first_value(pixel_sha256) over (partition by image_id order by is_new, bare, path, raw) as uid_pixels
    from ranked
), of_pixels as (
    select raw, path, image_id, file_sha256, first_value(raw) over same as kept,
        first_value(path) over same as kept_path, first_value(image_id) over same as kept_image_id,
        first_value(file_sha256) over same as kept_bytes
    from of_uid where pixel_sha256 = uid_pixels
    window same as (partition by pixel_sha256 order by is_new, bare, path, raw)
)
select raw, path,
    case when raw = kept then '{KEPT}' when file_sha256 = kept_bytes then '{SAME_BYTES}' else '{SAME_PIXELS}' end,
    image_id, kept_path, kept_image_id
from of_pixels
union all
select raw, path, '{CONFLICT}', image_id, null, null from of_uid where pixel_sha256 != uid_pixels
"""


def resolve(journal: Journal) -> None:
    """Decide over all ingestible files of the journal's inventory and write the temporary table ``decided``.

    ``outcome``: KEPT, SAME_BYTES or SAME_PIXELS (as the kept file's), CONFLICT. ``standing``: images already kept.
    """
    journal.teach("bare", lambda path: path_order(path)[0])
    journal.change(_TABLE)
    journal.change("delete from temp.decided")
    journal.change("drop index if exists temp.decided_by_image")
    journal.change(_DECIDE)
    journal.change("create index temp.decided_by_image on decided (outcome, image_id)")


def path_order(path: str) -> tuple[str, str]:
    """Return the key that sorts "0003.dcm" before "0003 (copie).dcm": the path without its suffix, then with it."""
    pure = PurePosixPath(path)
    return (str(pure.with_suffix("")) if pure.suffix else path, path)
