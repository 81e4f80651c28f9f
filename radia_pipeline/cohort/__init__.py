"""Links between images and patients, labels, pools, evaluation sets, manifests, data profile. Nothing here trains."""
