"""One sentence: from events to findings with a status. Not-excluded is read before denial, denial before doubt."""
