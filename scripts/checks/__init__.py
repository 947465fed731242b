"""Does it work, and if not, why: what is asked of a running deployment, and the papers about it.

May import: every other room.
Gives: app_check.check, acceptance.verify (the plan's lines), diagnosis.diagnose (why it does not
work), health, report, support, records, and assistants (the AI command-line tools of this machine).
"""
