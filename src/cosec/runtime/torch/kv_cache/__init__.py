"""Key-value caches with rollback, and prompts that several rows share.

``KeyValueCache`` is the only way in. Its storage, the shared prefixes and their storage are internal to this package.
"""

from cosec.runtime.torch.kv_cache.cache import ForwardInputs, KeyValueCache
from cosec.runtime.torch.kv_cache.shared_prefix import attend_to_prefixes, reads_prefixes

__all__ = ["ForwardInputs", "KeyValueCache", "attend_to_prefixes", "reads_prefixes"]
