(ns ndgrad.graph-test
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd])
  (:import
   (java.io File)
   (java.net URI)
   (java.nio.file Files)
   (ndgrad ArgumentException GraphException)))

(defn- example []
  (let [w (nd/ones [3] {:requires-grad true})]
    (nd/sum (nd/* w (nd/exp w)))))

(deftest the-graph-is-data
  (let [{:keys [nodes edges]} (nd/graph (example))
        op (into {} (map (juxt :id :op)) nodes)]
    (is (= ["sum" "mul" "leaf" "exp"] (map :op nodes)))
    (is (= [[] [3] [3] [3]] (map :shape nodes)))
    (is (every? #{:float64} (map :dtype nodes)))
    (is (= #{["mul" "sum" 0] ["leaf" "mul" 0] ["exp" "mul" 1] ["leaf" "exp" 0]}
           (set (map (fn [{:keys [from to input]}] [(op from) (op to) input]) edges))))))

(deftest the-graph-in-dot
  (let [dot (nd/graph-dot (example))]
    (is (str/starts-with? dot "digraph ndgrad {"))
    (is (str/includes? dot "n2 [label=\"leaf [3]\", shape=box];"))
    (is (= 4 (count (re-seq #"->" dot))))))

(deftest the-graph-as-a-picture
  (let [svg (File/createTempFile "graph" ".svg")
        png (File/createTempFile "graph" ".png")]
    (try
      (is (= svg (nd/draw-graph (example) svg)))
      (let [text (slurp svg)]
        (is (str/includes? text "<svg"))
        (testing "every node is drawn"
          (doseq [label ["sum []" "mul [3]" "exp [3]" "leaf [3]"]]
            (is (str/includes? (str/replace text "&#160;" " ") label)))))
      (is (= png (nd/draw-graph (example) (.toPath png))))
      (is (= [0x89 0x50 0x4e 0x47] (map #(bit-and 0xff (int %)) (take 4 (Files/readAllBytes (.toPath png))))))
      (finally (io/delete-file svg) (io/delete-file png)))))

(deftest what-cannot-be-drawn
  (is (thrown-with-msg? ArgumentException #"^draw-graph: expected a file that ends in \.svg or \.png, got graph\.gif$"
                        (nd/draw-graph (example) "graph.gif")))
  (doseq [[file shown] {5 "5", nil "no value", [1] "\\[1\\]", :a ":a", "nul\u0000.svg" "\".*\"",
                        (URI. "http://localhost/graph.svg") "an object of class java\\.net\\.URI"}]
    (is (thrown-with-msg? ArgumentException
                          (re-pattern (str "^draw-graph: expected a file as a string, File or Path, got " shown "$"))
                          (nd/draw-graph (example) file))))
  (is (thrown-with-msg? ArgumentException #"^draw-graph: expected an Array, got 5$" (nd/draw-graph 5 "graph.svg")))
  (is (thrown? GraphException (nd/graph (nd/ones [2])))))
