import sys

from experiments.autoencoder.command import main

if __name__ == "__main__":
    sys.exit(main())
