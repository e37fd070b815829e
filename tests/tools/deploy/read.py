"""Reads YAML from a JSON list of texts on stdin, and prints the list of what each holds: a list of documents.

read.py                  as they are
read.py kubernetes       each must fit Kubernetes' schema of its kind, and have no field that this doesn't know
read.py SCHEMA.json      each must fit this JSON schema
"""

import json
import sys

import yaml

VERSION = "1.34"
# Of the Prometheus operator: Kubernetes has no schema of these.
FOREIGN = "monitoring.coreos.com/"


class Loader(yaml.CSafeLoader):
    """A key twice is a mistake, of which YAML's reader says nothing."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} stands here twice", node.start_mark)
        return super().construct_mapping(node, deep)


# `on` and `yes` are texts to Go's readers, but these files have none; dates are texts too.
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def checker(how):
    """What raises if a document doesn't fit. Schemas are slow to load: only where they are wanted."""
    if how == "kubernetes":
        import kubernetes_validate

        def check(document):
            if not document["apiVersion"].startswith(FOREIGN):
                kubernetes_validate.validate(document, VERSION, strict=True)

        return check
    if how:
        import jsonschema

        with open(how, encoding="utf-8") as schema:
            return jsonschema.Draft7Validator(json.load(schema)).validate
    return lambda document: None


def main():
    how = sys.argv[1] if len(sys.argv) > 1 else None
    check = checker(how)
    files = []
    for text in json.load(sys.stdin):
        documents = [document for document in yaml.load_all(text, Loader) if document is not None]
        for document in documents:
            try:
                check(document)
            except Exception as error:
                if not hasattr(error, "message"):
                    raise
                name = document.get("metadata", {}).get("name", "")
                path = ".".join(str(part) for part in error.path)
                sys.exit(f"{document.get('kind', '')} {name}: {path}: {error.message}")
        files.append(documents)
    json.dump(files, sys.stdout)


main()
