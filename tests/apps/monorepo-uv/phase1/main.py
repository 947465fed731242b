print("todos on a command line")
