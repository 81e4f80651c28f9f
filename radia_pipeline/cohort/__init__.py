"""Links between images and patients, pools, evaluation sets, manifests, data profile. Nothing here trains."""
