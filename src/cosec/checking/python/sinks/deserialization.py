"""py/unsafe-deserialization: untrusted data handed to a format that can carry code."""

from cosec.checking.python.engine.domain.program import Class
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import Value

PATTERN = "py/unsafe-deserialization"
MODULES = (
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "jsonpickle",
    "joblib",
    "six.moves.cPickle",
)
LOADERS = frozenset({f"{module}.{name}" for module in MODULES for name in ("load", "loads", "decode", "Unpickler")}) | {
    "eval",
    "shelve.open",
    "shelve.DbfilenameShelf",
    "pandas.read_pickle",
    "pd.read_pickle",
    "torch.load",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
    "yaml.full_load",
    "yaml.full_load_all",
    "pickle.loads",
    "jsonpickle.unpickler.decode",
    "numpy.load",
    "np.load",
    "sklearn.externals.joblib.load",
}
YAML = frozenset({"yaml.load", "yaml.load_all", "ruamel.yaml.load", "ruamel.yaml.load_all"})
SAFE_LOADERS = ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader", "SafeConstructor")
KINDS = frozenset({"remote", "argv", "input", "parameter", "download"})


def check(site: CallSite) -> None:
    """Look at one call."""
    if site.names & YAML:
        if not _safe_loader(site.argument(1, "Loader")):
            _report(site, site.argument(0, "stream"))
    elif site.names & LOADERS:
        if site.called("numpy.load", "np.load") and not _true(site.argument(2, "allow_pickle")):
            return
        if site.called("torch.load") and _true(site.argument(None, "weights_only")):
            return
        _report(site, site.argument(0, "file", "filename", "data", "string", "filepath_or_buffer", "f"))


def _true(value: Value | None) -> bool:
    return value is not None and value.constant is True


def _safe_loader(loader: Value | None) -> bool:
    if loader is None:
        return False
    if any(name.rsplit(".", 1)[-1] in SAFE_LOADERS for name in loader.names):
        return True
    return any(isinstance(target, Class) and target.base_names() & set(SAFE_LOADERS) for target in loader.targets)


def _report(site: CallSite, data: Value | None) -> None:
    for taint in site.analysis.harmful(data, "deserialization", KINDS) if data is not None else ():
        site.analysis.report(PATTERN, site.node, "Untrusted data can make the loader run code", taint.source)
        return
