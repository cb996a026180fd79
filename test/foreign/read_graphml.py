"""Reads GraphML with networkx; prints nodes and edges as JSON."""
import json
import sys

import networkx

graph = networkx.read_graphml(sys.argv[1], force_multigraph=True)
nodes = [[node, data] for node, data in graph.nodes(data=True)]
edges = [[source, target, data] for source, target, data in graph.edges(data=True)]
print(json.dumps({"directed": graph.is_directed(), "nodes": nodes, "edges": edges}))
