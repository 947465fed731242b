"""A run of a task: settings, commands, progress, errors, and the order of the stages.

May import: no other room.
Every other room may import this one.
Gives: Settings, Run (what each stage is handed), Shell (the only place that starts a process),
Failure and Finding (everything that can go wrong), and the pipeline that runs stages side by side.
"""
