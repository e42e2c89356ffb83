from experiments.base.command import leave
from experiments.run.command import main

if __name__ == "__main__":
    leave(main())
