"""`python -m proof world report`: what every method does to people whom no network has seen.

cases are the people and prompts, rows what is drawn of them (a file for each method under `rows`), judging
looks at the pictures, measures turns that into numbers with intervals, claims says what they show, and write
puts it down.
"""
