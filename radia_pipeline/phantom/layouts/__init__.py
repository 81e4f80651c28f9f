"""One module per dataset: writes phantom patients as that dataset's publisher lays out files and tables."""
