"""Saliency maps, boxes made of them, and their benchmark against radiologists' boxes."""
