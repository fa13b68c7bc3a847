"""The playground: a page that trains small networks on Thalweg, and shows all that happens.

From what a person sets to what they see:

    settings, state    what can be set, and how a link says it
    points             the data
    network            the graph that trains and evaluates
    engine             its session: steps, losses, pictures, edits
    program            the same as a program of its own
    inspection         what runs for a layer
    room               one person's playground: messages in, messages and frames out
    app, guard, server who may come in, and how
"""
