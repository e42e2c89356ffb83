import signal
import sys

from experiments.campaign.command import main, terminated

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    sys.exit(main())
