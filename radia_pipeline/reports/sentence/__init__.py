"""One sentence: from events to findings with a status, by the order of cues that LABELING_GUIDE lays down."""
