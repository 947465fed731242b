"""What a person would do with the app: sign up, log in, keep a todo, see it again.

Through a real browser (browser), or through the API alone (api), which is also the short form that
ends a deployment. judgement turns what happened into findings.
"""
