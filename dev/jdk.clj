(ns jdk
  "Finds a JDK that is new enough, for project.clj and build.clj: both may have been started on an
  older one. bin/clj does the same without Clojure. Runs on any Clojure and any Java."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str])
  (:import
   (java.io File)))

(set! *warn-on-reflection* true)

(def release
  "The release of Java that the sources are written for."
  25)

(defn- feature
  "The feature release of the JDK in folder `home`, or 0."
  [^File home]
  (let [about (io/file home "release")]
    (if (.canRead about)
      (Long/parseLong (or (second (re-find #"(?m)^JAVA_VERSION=\"(\d+)" (slurp about))) "0"))
      0)))

(defn- program ^File [home tool]
  (first (filter #(.exists ^File %)
                 [(io/file home "bin" tool) (io/file home "bin" (str tool ".exe"))])))

(defn- home-of-java
  "The JDK that the java command `path` belongs to, through links."
  [path]
  (some-> ^File (io/file path) .getCanonicalFile .getParentFile .getParentFile))

(defn- folders []
  (let [user (System/getProperty "user.home")]
    (for [parent ["/usr/lib/jvm" "/usr/lib64/jvm" "/usr/java" "/opt/java" "/opt"
                  (str user "/.sdkman/candidates/java") (str user "/.jdks")
                  (str user "/.asdf/installs/java") (str user "/.local/share/mise/installs/java")
                  "/Library/Java/JavaVirtualMachines" (str user "/Library/Java/JavaVirtualMachines")
                  "C:/Program Files/Java" "C:/Program Files/Eclipse Adoptium"]
          ^File child (sort (.listFiles (io/file parent)))
          home [child (io/file child "Contents/Home")]]
      home)))

(defn- candidates []
  (concat
   (some-> (System/getenv "JAVA_CMD") home-of-java list)
   (some-> (System/getenv "JAVA_HOME") io/file list)
   [(io/file (System/getProperty "java.home"))]
   (for [dir (str/split (or (System/getenv "PATH") "") (re-pattern File/pathSeparator))
         :let [java (io/file dir "java")]
         :when (.exists java)]
     (home-of-java java))
   (lazy-seq (folders))))

(defn tool
  "The path of `tool-name` (\"java\", \"javac\") in the first JDK that is new enough."
  [tool-name]
  (if-let [home (first (filter #(and (<= release (feature %)) (program % "javac")) (candidates)))]
    (str (program home tool-name))
    (throw (ex-info (str "ndgrad needs a JDK >= " release
                         " (with javac): install one or point JAVA_HOME at it")
                    {:release release}))))
