"""Links between images and patients, labels, pools, evaluation sets, manifests, the data profile. Nothing here trains."""
