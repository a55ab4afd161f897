"""`snakemake`, but its executor looks after jobs every 2 seconds, as on a cluster of its own it may.

The executor waits 10 seconds longer after every look, up to 3 minutes, and has no option for that.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def sleep(_: RemoteExecutor) -> None:
    """Wait until the next look."""
    await asyncio.sleep(2)


RemoteExecutor.sleep = sleep
sys.exit(main())
