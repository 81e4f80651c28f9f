"""What needs several packages and no orchestrator: predict, audit, forget, summary."""
