"""Everything that is HTML: the run's report, the data profile. Figures come from the lake; none is computed here.

One module a page (``run_report``, ``data_profile``) with its template and, beside it, what it shows (``…_figures``);
``render`` and ``base.html.j2`` give every page one head, one foot and one style sheet.
"""
