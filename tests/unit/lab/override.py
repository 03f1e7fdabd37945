"""What anchord-wrap printed, as Compose reads it."""

import yaml


class Loader(yaml.SafeLoader):
    """Compose's two tags; everything else is plain YAML."""


Loader.add_constructor("!reset", lambda loader, node: None)
Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


def read(text):
    return yaml.load(text, Loader)
