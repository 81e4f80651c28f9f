"""Everything that is HTML: the run's report, the data profile. Figures come from the lake; none is computed here."""
