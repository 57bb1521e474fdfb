"""What is said to a machine whose shards may not be run from its folder. No I/O."""

from __future__ import annotations

SETTLING = (
    "the exchange was restarted: it gives no shards for a minute, until all machines "
    "have told what they have"
)


def copy_went_on(shard: int) -> str:
    """Another machine has run the shard meanwhile."""
    return (
        f"another machine has run shard {shard} of the crawl from a copy "
        "of this folder, while this one was asleep or cut off; the folder "
        "is behind, and must not be used any more"
    )


def state_elsewhere(shard: int) -> str:
    """Another folder is the home of the shard."""
    return (
        f"shard {shard} of the crawl has its state in another folder by "
        "now, so that what this one has of it is of no use: it is a copy, "
        "another machine has gone on from a snapshot, or the exchange has "
        "lost its data while this machine was off"
    )


def two_owners(shard: int, machine: str) -> str:
    """`machine` runs the shard now."""
    return (
        f"shard {shard} of the crawl is run by another machine, "
        f"{machine}, from a copy of this folder; stop one of the two"
    )


def had_before(machine: str, lease_s: float) -> str:
    """`machine` has had this folder, and may be off."""
    return f"{machine} had this folder before; its leases end within {lease_s:.0f} s"
